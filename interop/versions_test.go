package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pinned returns the versions of the peers that this tree names, in a sentence for the page.
func pinned(t *testing.T) string {
	t.Helper()
	find := func(pattern string, name ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{root(t), "interop", "peers"}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindSubmatch(b)
		if found == nil {
			t.Fatalf("%v names no version", name)
		}
		return string(found[1])
	}
	const wss4j = `<artifactId>wss4j-ws-security-dom</artifactId>\s*<version>([^<]*)<`
	return fmt.Sprintf("node-soap %s with xml-crypto %s, WSS4J %s, and WSS4J %s where SAML is needed",
		find(`"soap": "([^"]*)"`, "node", "package.json"), find(`"xml-crypto": "([^"]*)"`, "node", "package.json"),
		find(wss4j, "java", "pom.xml"), find(wss4j, "java", "pom-saml.xml"))
}

// TestVersions says which peers of Debian the run has had. The page names those of Debian 12; others may do better.
func TestVersions(t *testing.T) {
	requirePeers(t)
	for _, command := range [][]string{
		{"xmlsec1", "--version"},
		{"readlink", "-f", "/usr/share/java/wss4j.jar"},
		{"grep", "-m1", "define GSOAP_VERSION", "/usr/include/stdsoap2.h"},
		{"/usr/bin/python3", "-c", "import zeep, xmlsec; print('zeep', zeep.__version__, 'xmlsec', xmlsec.__version__)"},
	} {
		output, err := exec.CommandContext(t.Context(), command[0], command[1:]...).Output()
		if err != nil {
			t.Errorf("%v: %v", command, err)
		}
		t.Log(strings.TrimSpace(string(output)))
	}
}
