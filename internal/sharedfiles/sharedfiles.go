// Package sharedfiles finds the test material that is kept outside this repository: messages of other people's making,
// official schemas and real DICOM files. It is in the folder shared beside the module, or in the one that COLLIMATE_SHARED
// names. The package is for tests only: the product does not need the folder, and a test without it is skipped.
package sharedfiles

import (
	"os"
	"path/filepath"
	"testing"
)

const variable = "COLLIMATE_SHARED"

// Path returns where a file or a folder of the test material is, and skips the test if it is not there. An element may
// itself be a path with slashes.
func Path(t testing.TB, elements ...string) string {
	t.Helper()
	path := Find(elements...)
	if path == "" {
		t.Skipf("needs %s in ../shared beside the module, or below %s", filepath.Join(elements...), variable)
	}
	return path
}

// Read returns a file of the test material, and skips the test if it is not there.
func Read(t testing.TB, elements ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(Path(t, elements...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Find returns what Path does, absolute, and "" if it is not there: for tests that do less without it.
func Find(elements ...string) string {
	name := filepath.Join(elements...)
	if root := os.Getenv(variable); root != "" {
		path, err := filepath.Abs(filepath.Join(root, name))
		if err != nil || !exists(path) {
			return ""
		}
		return path
	}
	dir, err := os.Getwd() // the folder of the package under test, somewhere in the module
	if err != nil {
		return ""
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if path := filepath.Join(filepath.Dir(dir), "shared", name); exists(path) {
			return path
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
