package atna

import (
	"os"
	"path/filepath"
	"testing"
)

// shared returns a path in the directory of official schemas beside the module, or skips the test.
func shared(t *testing.T, elem ...string) string {
	t.Helper()
	root := os.Getenv("COLLIMATE_SHARED")
	for dir, _ := os.Getwd(); root == "" && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, "shared")); err == nil && info.IsDir() {
			root = filepath.Join(dir, "shared")
		}
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); root == "" || err != nil {
		t.Skip("the official schemas are not beside the module")
	}
	return path
}
