// Package tree finds the root of the source tree, from which the local stack starts its parts.
package tree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Root is the folder that holds go.mod, looked for from the working directory upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the source tree: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the source tree: no go.mod in this folder or above; run it inside the checkout")
		}
		dir = parent
	}
}
