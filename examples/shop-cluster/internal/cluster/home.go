package cluster

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// home is the directory of a shop: the stores of the three, that of the embedded
// server, and what the shop was begun with.
type home struct {
	dir       string
	temporary bool
	settings  settings
	known     bool     // the settings were there: it is a restart
	lock      *os.File // held until close, or nil: one program at a time is in the directory
}

// settings is the file shop.json. Its presence says that the stream was made.
type settings struct {
	ID       string `json:"id"` // distinguishes shops that share a cluster
	Load     Load   `json:"load"`
	Orders   int    `json:"all"`                // how many the load has
	Cluster  bool   `json:"cluster,omitempty"`  // with -nats; else the embedded server
	Replicas int    `json:"replicas,omitempty"` // of the stream
}

func (s *settings) stream() string  { return "SHOP_" + s.ID }
func (s *settings) subject() string { return "shop." + s.ID + ".orders" }

// openHome makes the directory if need be: a temporary one if the name is empty.
func openHome(dir string) (h *home, err error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "shop-cluster-")
		return &home{dir: dir, temporary: true}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	h = &home{dir: dir}
	if h.lock, err = lockHome(h.path("lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = h.lock.Close()
			h = nil
		}
	}()
	text, err := os.ReadFile(h.path("shop.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h, nil
	case err != nil:
		return h, err
	}
	if err := json.Unmarshal(text, &h.settings); err != nil || h.settings.ID == "" {
		return h, fmt.Errorf("%s is damaged: remove the directory, or give another with -data", h.path("shop.json"))
	}
	h.known = true
	return h, nil
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

// newID is short, since it is a part of names.
func newID() string { return strings.ToLower(rand.Text()[:10]) }

// save writes the settings: all of them or nothing, whatever is killed.
func (h *home) save() error {
	text, err := json.MarshalIndent(h.settings, "", "\t")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(h.dir, "shop-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // which is another's, once it has been renamed
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), h.path("shop.json")); err != nil {
		return err
	}
	h.known = true
	return nil
}

// lockHome keeps a second program out: two of them would replay into the same
// stores, and with -nats there is no server in the directory that refuses the other.
// The lock ends with the process, however that ends, and its children have none of it.
func lockHome(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	switch free, err := lockFile(f); {
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case !free:
		_ = f.Close()
		return nil, fmt.Errorf("another shop-cluster is at work in %s: wait until it has ended, or give another -data", filepath.Dir(path))
	}
	return f, nil
}

// close removes a directory that nobody has asked for, and lets the next one in.
func (h *home) close() error {
	if !h.temporary {
		return h.lock.Close()
	}
	return os.RemoveAll(h.dir)
}
