package interop

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
)

// variant is a way of writing a request, before it is signed or after.
type variant struct {
	name  string
	style style
	// change is done to the signed envelope; nil does nothing.
	change func(*testing.T, []byte) []byte
	want   outcome
}

var changedAfter = outcome{refused, "FailedCheck", "", "what was signed has been changed"}

var variants = []variant{
	{"indented, then signed", pretty, nil, yes},
	{"given other prefixes and default namespaces, then signed", prefixed, nil, yes},
	{"signed, then the children of `wsse:Security` put in reverse order", compact, reverseSecurity, yes},
	{"signed, then put into an envelope that declares a namespace more", compact, declareMore, yes},
	{"signed, then written with single quotes", compact, singleQuotes, yes},
	{"signed, then wrapped at each tag: blanks inside tags only", compact, wrapTags, yes},
	{"signed, then indented", compact, indentAll, changedAfter},
	{"signed, then given another prefix for `wsa`", compact, rename("wsa", "adr"), changedAfter},
}

// variantSigners are those that are given an envelope as it is to be.
var variantSigners = []string{"xmlsec1", "WSS4J 1.6", "WSS4J 4"}

func TestVariants(t *testing.T) {
	requirePeers(t)
	id := newIdentities(t)
	d := open(t, id, time.Now, false)
	url := d.base + endpoint("strict", false)
	all := peers(t)
	for _, signer := range variantSigners {
		t.Run(signer, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var jobs []job
			var messageIDs []string
			for i, v := range variants {
				messageID := newMessageID()
				in := filepath.Join(dir, string(rune('a'+i))+".xml")
				// X509Data for xmlsec1: nothing of its Security header is signed but the Timestamp, as with a token of WSS4J.
				write(t, in, []byte(unsigned(v.style, signer, "x509-data", "rsa-sha256", url, messageID, id.of["rsa"])))
				jobs = append(jobs, job{
					"op": "sign", "key": "rsa", "algorithm": "rsa-sha256", "form": "x509-data", "packaging": "plain", "in": in, "out": in + ".signed",
				})
				messageIDs = append(messageIDs, messageID)
			}
			for i, result := range all[signer].run(t, id, jobs) {
				v := variants[i]
				t.Run(strings.ReplaceAll(v.name, " ", "_"), func(t *testing.T) {
					if !result.ok {
						t.Fatalf("the peer cannot sign: %s", result.detail)
					}
					b, err := os.ReadFile(jobs[i]["out"])
					if err != nil {
						t.Fatal(err)
					}
					if v.change != nil {
						changed := v.change(t, b)
						if bytes.Equal(changed, b) {
							t.Fatal("the change changes nothing")
						}
						b = changed
					}
					v.want.judge(t, d.send(t, url, messageIDs[i], message{simpleType, b}).err)
				})
			}
		})
	}
}

func reverseSecurity(t *testing.T, b []byte) []byte {
	t.Helper()
	return edit(t, b, func(doc *etree.Document) {
		security := doc.FindElement("//Security")
		children := security.ChildElements()
		slices.Reverse(children)
		for _, c := range children {
			security.AddChild(c)
		}
	})
}

func indentAll(t *testing.T, b []byte) []byte {
	t.Helper()
	return edit(t, b, func(doc *etree.Document) { doc.Indent(2) })
}

func edit(t *testing.T, b []byte, change func(*etree.Document)) []byte {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(b); err != nil {
		t.Fatal(err)
	}
	change(doc)
	out, err := doc.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rename(from, to string) func(*testing.T, []byte) []byte {
	return func(_ *testing.T, b []byte) []byte {
		return []byte(strings.NewReplacer("<"+from+":", "<"+to+":", "</"+from+":", "</"+to+":", "xmlns:"+from+"=", "xmlns:"+to+"=").Replace(string(b)))
	}
}

func declareMore(_ *testing.T, b []byte) []byte {
	return bytes.Replace(b, []byte(`Envelope xmlns:`), []byte(`Envelope xmlns:more="urn:more" xmlns:`), 1)
}

func singleQuotes(_ *testing.T, b []byte) []byte {
	return bytes.ReplaceAll(b, []byte(`"`), []byte(`'`))
}

var endOfTag = regexp.MustCompile(`([\w"])(/?>)`)

// wrapTags breaks the line before the end of each tag.
func wrapTags(_ *testing.T, b []byte) []byte { return endOfTag.ReplaceAll(b, []byte("$1\n$2")) }
