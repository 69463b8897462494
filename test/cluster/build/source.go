package build

import (
	"errors"
	"os"
	"path/filepath"
)

// Source finds the folder test/cluster of the repository that the launcher
// belongs to: above its binary, or above the working folder.
func Source() (string, error) {
	var starts []string
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	if cwd, err := os.Getwd(); err == nil {
		starts = append(starts, cwd)
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			source := filepath.Join(dir, "test", "cluster")
			if _, err := os.Stat(filepath.Join(source, "kubernetes", "go.mod")); err == nil {
				return source, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("no folder test/cluster above the launcher or the working folder; run this inside the repository")
}
