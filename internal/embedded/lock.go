package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrInUse is returned when another process, or another server of this one, is
// using the directory. Callers choose another directory or end the other
// process.
var ErrInUse = errors.New("directory is in use by another server")

// lockDir makes dir and takes hold of it until the returned Closer is closed or
// the process ends, however it ends.
func lockDir(dir string) (io.Closer, error) {
	// Others may pass through, so that a server that runs as another user
	// reaches its own directory below.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return lock, nil
}
