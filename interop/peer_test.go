package interop

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// job is what a peer is asked to do: fields by name. op is "sign" (in to out), "verify" (in) or "post" (sign and
// send to url).
type job map[string]string

// result is the answer to a job: that it was done, and what the peer says about it.
type result struct {
	ok     bool
	detail string
}

// peer is another stack. run does all jobs in one process where there is a process to keep.
type peer interface {
	run(t *testing.T, id identities, jobs []job) []result
}

// peers are the stacks by the name in the matrix.
func peers(t *testing.T) map[string]peer {
	built := filepath.Join(root(t), "bin", "interop")
	sources := filepath.Join(root(t), "interop", "peers")
	contract := filepath.Join(root(t), "wsdl", "XDS.b_DocumentRepository.wsdl")
	node := program{
		needs:   filepath.Join(built, "node", "done"),
		command: []string{"node", filepath.Join(sources, "node", "peer.js"), keysArgument, contract},
		env:     []string{"NODE_PATH=" + filepath.Join(built, "node", "node_modules")},
	}
	debian := []string{filepath.Join(built, "wss4j16")}
	for _, jar := range []string{"wss4j", "xmlsec", "commons-logging", "slf4j-api"} {
		debian = append(debian, filepath.Join("/usr/share/java", jar+".jar"))
	}
	return map[string]peer{
		"xmlsec1":    xmlsec1{},
		"xml-crypto": node,
		"node-soap":  node,
		"WSS4J 1.6":  java(filepath.Join(built, "wss4j16", "done"), strings.Join(debian, ":"), "Wss4j16"),
		"WSS4J 4":    java(filepath.Join(built, "wss4j", "done"), withLibraries(filepath.Join(built, "wss4j")), "Wss4j"),

		"WSS4J 2 with OpenSAML": java(filepath.Join(built, "wss4j-saml", "done"), withLibraries(filepath.Join(built, "wss4j-saml")), "Wss4jSaml"),

		"gSOAP": program{needs: filepath.Join(built, "gsoap", "peer"), command: []string{filepath.Join(built, "gsoap", "peer"), keysArgument}},
		"zeep": program{
			needs:   "/usr/lib/python3/dist-packages/zeep/__init__.py",
			command: []string{"/usr/bin/python3", filepath.Join(sources, "python", "peer.py"), keysArgument, contract},
		},
	}
}

func java(needs, classpath, class string) program {
	return program{needs: needs, command: []string{"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath, class, keysArgument}}
}

func withLibraries(dir string) string { return dir + ":" + filepath.Join(dir, "lib", "*") }

// keysArgument stands for the directory of identities in a command.
const keysArgument = "KEYS"

// program is a peer that reads jobs from standard input and answers each with a line.
type program struct {
	needs   string // a file without which it cannot run
	command []string
	env     []string
}

func (p program) run(t *testing.T, id identities, jobs []job) []result {
	t.Helper()
	if _, err := os.Stat(p.needs); errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is not there: run interop/install", p.needs)
	}
	var input, complaints bytes.Buffer
	for _, j := range jobs {
		fields := []string{}
		for _, name := range slices.Sorted(maps.Keys(j)) {
			fields = append(fields, name+"="+j[name])
		}
		input.WriteString(strings.Join(fields, "\t") + "\n")
	}
	command := slices.Clone(p.command)
	for i := range command {
		if command[i] == keysArgument {
			command[i] = id.dir
		}
	}
	c := exec.CommandContext(t.Context(), command[0], command[1:]...)
	c.Env = append(os.Environ(), p.env...)
	c.Stdin, c.Stderr = &input, &complaints
	output, err := c.Output()
	var results []result
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		state, detail, _ := strings.Cut(lines.Text(), " ")
		if state != "ok" && state != "fail" {
			t.Fatalf("%s says %q, want ok or fail", command[0], lines.Text())
		}
		results = append(results, result{state == "ok", detail})
	}
	if err != nil || len(results) != len(jobs) {
		t.Fatalf("%s answered %d of %d jobs: %v\n%s", strings.Join(command, " "), len(results), len(jobs), err, &complaints)
	}
	return results
}

// root returns the directory of the module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(dir)
}
