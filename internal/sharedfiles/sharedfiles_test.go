package sharedfiles

import (
	"os"
	"path/filepath"
	"testing"
)

// tree makes a folder that holds shared/ihe/a.xml and module/pkg, and returns it.
func tree(t *testing.T) string {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"shared/ihe", "module/pkg"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "shared", "ihe", "a.xml"), []byte("<a/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	return top
}

func TestFind(t *testing.T) {
	top := tree(t)
	file := filepath.Join(top, "shared", "ihe", "a.xml")
	for _, test := range []struct{ name, variable, dir, element, want string }{
		{"beside the module", "", "module/pkg", "a.xml", file},
		{"beside the module, not there", "", "module/pkg", "b.xml", ""},
		{"named", filepath.Join(top, "shared"), "", "a.xml", file},
		{"named from here", "../shared", "module", "a.xml", file},
		{"the named folder is not there", filepath.Join(top, "none"), "module/pkg", "a.xml", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(variable, test.variable)
			t.Chdir(filepath.Join(top, test.dir))
			if got := Find("ihe", test.element); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Setenv(variable, filepath.Join(tree(t), "shared"))
	if got := Read(t, "ihe/a.xml"); string(got) != "<a/>" {
		t.Errorf("got %q", got)
	}
	t.Run("skips", func(t *testing.T) {
		defer func() {
			if !t.Skipped() {
				t.Error("a test without its file is not skipped")
			}
		}()
		Read(t, "ihe/b.xml")
	})
}
