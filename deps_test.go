package collimate_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of this module.
const module = "collimate"

// picture is the order of the packages: each line is a package and all that it may import of this module. An
// import points up the page, never down. Before you add an arrow to make a build pass, ask which package the
// code belongs in; loosening the picture is a commit of its own, with a reason.
const picture = `
# ground: bytes <-> values
keys:               -
keys/keystore:      keys
detcbor:            -
xmlsec:             -
dicom:              -
dicom/phantom:      dicom
wsdl:               -
xua:                keys
soap/mtom:          -
internal/sharedfiles: - # for tests only
internal/postgrestest: - # for tests only

# shape: the vocabulary of one standard each
soap:               soap/mtom xmlsec
ledger:             detcbor keys
ledger/vectortest:  -
pacs:               -
atna:               -
saml:               xmlsec xua

# protocol
soap/wss:           keys saml soap xmlsec xua
xds/metadata:       xmlsec
xds/query:          xds/metadata xmlsec
xds:                soap soap/mtom wsdl xds/metadata xds/query xmlsec xua
xds/xdsi:           soap wsdl xds xds/metadata xmlsec xua
pacs/pdi:           dicom pacs
pacs/fs:            dicom pacs
pacs/remote:        dicom pacs
pacs/dicomweb:      dicom pacs pacs/remote soap/mtom
pacs/dimse:         dicom pacs pacs/remote
pacs/transcode:     dicom pacs
pacs/iocm:          dicom pacs
pacs/pacstest:      dicom dicom/phantom pacs
pacs/pacstest/peer: -
ledger/tree:        detcbor
ledger/light:       detcbor ledger ledger/tree
ledger/store:       detcbor ledger ledger/tree
p2p:                -
consensus/pebbledb: -
consensus:          consensus/pebbledb keys keys/keystore ledger ledger/light ledger/store p2p

# compose: the few packages that know two worlds
gateway/catalog:    keys ledger
gateway/registry:   xds/metadata xds/query
gateway/documents:  -
gateway:            atna dicom gateway/catalog gateway/documents gateway/registry keys ledger pacs pacs/iocm pacs/pdi pacs/transcode saml soap soap/wss xds xds/metadata xds/query xds/xdsi xua
gateway/publisher:  gateway gateway/catalog ledger pacs pacs/iocm
ticket:             detcbor dicom gateway keys ledger
node/api:           -
node/query:         detcbor keys
node/client:        keys ledger ledger/light node/query
node:               consensus keys ledger ledger/light ledger/store node/api node/client node/query
conformance:        -
cmd/collimate:      *
`

// pure lists the packages that compute and do nothing else: no network, no files, no log, no locks, no clock
// and no randomness of their own.
var pure = []string{"detcbor", "keys", "ledger", "ledger/light", "ledger/tree", "xds", "xds/metadata", "xds/query", "xds/xdsi", "xua"}

// impure lists what a pure package may not import.
var impure = []string{"net", "net/http", "os", "log", "log/slog", "sync", "sync/atomic", "crypto/rand", "math/rand", "math/rand/v2", "syscall", "os/exec"}

// independent lists the packages that judge the rest and must share no code with it.
var independent = []string{"conformance"}

func TestImports(t *testing.T) {
	allowed, order := parsePicture(t)
	got := imports(t)
	for _, pkg := range slices.Sorted(maps.Keys(got)) {
		may, known := allowed[pkg]
		if strings.HasPrefix(pkg, "cmd/") {
			continue
		}
		if !known {
			t.Errorf("%s is not in the picture: add a line that says what it may import", pkg)
			continue
		}
		for _, imp := range got[pkg].own {
			if !slices.Contains(may, imp) {
				t.Errorf("%s imports %s: that arrow is not in the picture", pkg, imp)
			} else if slices.Index(order, imp) > slices.Index(order, pkg) {
				t.Errorf("%s imports %s, which stands below it in the picture", pkg, imp)
			}
		}
		for _, imp := range may {
			if !slices.Contains(got[pkg].own, imp) {
				t.Errorf("%s does not import %s: take the arrow out of the picture", pkg, imp)
			}
		}
	}
	for pkg := range allowed {
		if _, exists := got[pkg]; !exists && !strings.HasPrefix(pkg, "cmd/") {
			t.Errorf("%s is in the picture and not in the tree", pkg)
		}
	}
}

func TestPure(t *testing.T) {
	got := imports(t)
	for _, pkg := range pure {
		for _, imp := range got[pkg].other {
			if slices.Contains(impure, imp) {
				t.Errorf("%s imports %s: it is to be pure", pkg, imp)
			}
		}
		for _, use := range got[pkg].clock {
			t.Errorf("%s reads the clock at %s: time comes as an argument", pkg, use)
		}
	}
}

func TestIndependent(t *testing.T) {
	got := imports(t)
	for _, pkg := range independent {
		if len(got[pkg].own) > 0 {
			t.Errorf("%s imports %v: it is to share no code with what it judges", pkg, got[pkg].own)
		}
	}
}

func TestOnePackageDoc(t *testing.T) {
	for pkg, p := range imports(t) {
		if p.docs != 1 {
			t.Errorf("%s has %d package comments, want one", pkg, p.docs)
		}
	}
}

// pkg is what the files of a package that are not tests say.
type pkg struct {
	own   []string // imports of this module, relative to it
	other []string
	clock []string // positions of time.Now, time.Since and time.Until
	docs  int
}

// imports reads the import clauses of the whole tree.
func imports(t *testing.T) map[string]*pkg {
	t.Helper()
	all := map[string]*pkg{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		p := all[path.Dir(filepath.ToSlash(name))]
		if p == nil {
			p = &pkg{}
			all[path.Dir(filepath.ToSlash(name))] = p
		}
		if file.Doc != nil {
			p.docs++
		}
		for _, imp := range file.Imports {
			of, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			list := &p.other
			if rest, ours := strings.CutPrefix(of, module+"/"); ours {
				list, of = &p.own, rest
			}
			if !slices.Contains(*list, of) {
				*list = append(*list, of)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
					p.clock = append(p.clock, fset.Position(sel.Pos()).String())
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d packages: the test is looking in the wrong place", len(all))
	}
	return all
}

// parsePicture returns what each package may import, and the order in which they stand.
func parsePicture(t *testing.T) (allowed map[string][]string, order []string) {
	t.Helper()
	allowed = map[string][]string{}
	for n, line := range strings.Split(picture, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, list, ok := strings.Cut(line, ":")
		if _, twice := allowed[name]; !ok || twice {
			t.Fatalf("picture, line %d: want one «package: imports» for each package", n)
		}
		allowed[name], order = nil, append(order, name)
		for _, imp := range strings.Fields(list) {
			if imp != "-" {
				allowed[name] = append(allowed[name], imp)
			}
		}
	}
	return allowed, order
}
