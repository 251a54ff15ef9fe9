package xds

import (
	"os"
	"path/filepath"
	"testing"
)

// shared returns a path in the folder of shared reading, which stands beside the module or is named by
// COLLIMATE_SHARED, and skips the test if there is none.
func shared(t testing.TB, elements ...string) string {
	t.Helper()
	root := os.Getenv("COLLIMATE_SHARED")
	for dir, _ := os.Getwd(); root == "" && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if candidate := filepath.Join(filepath.Dir(dir), "shared"); isDir(filepath.Join(candidate, "ihe")) {
			root = candidate
		}
	}
	path := filepath.Join(append([]string{root}, elements...)...)
	if _, err := os.Stat(path); root == "" || err != nil {
		t.Skip("the folder of shared messages and schemas is not beside this module")
	}
	return path
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// read returns a shared file.
func read(t testing.TB, elements ...string) string {
	t.Helper()
	b, err := os.ReadFile(shared(t, elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
