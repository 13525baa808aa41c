package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// packages compares the way from a Debian kernel package to a header with
// unpacking the package, and the way from the bzImage in it with unpacking that
// by its format's own tool. All files are in memory.
func packages(args []string) error {
	s, err := parse("packages", args)
	if err != nil {
		return err
	}
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "btfgen-bench.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, file := range s.files {
		if err := onePackage(s, dir, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func onePackage(s settings, dir, file string) error {
	tree := filepath.Join(dir, "tree")
	local := filepath.Join(dir, "kernel.deb")
	size, err := copyFile(local, file)
	if err != nil {
		return err
	}
	ours := &contestant{name: "btfgen", args: []string{s.btfgen, "-i", local, "-"}}
	theirs := &contestant{name: "dpkg -x", args: []string{"dpkg", "-x", local, tree}}
	if err := interleave(s.rounds, dir, ours, theirs); err != nil {
		return err
	}
	fmt.Printf("%s, %.1f MB, medians of %d rounds\n", filepath.Base(file), float64(size)/1e6, s.rounds)
	show(ours, theirs)

	var images []string
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"} { // the second since Debian's 7.2
		found, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			return err
		}
		images = append(images, found...)
	}
	if len(images) != 1 {
		return fmt.Errorf("%d kernel images in it", len(images))
	}
	tool, payload, err := payloadOf(images[0])
	if err != nil {
		return err
	}
	if tool == nil {
		fmt.Printf("  %s is no bzImage\n", filepath.Base(images[0]))
		return nil
	}
	packed := filepath.Join(dir, "payload")
	if err := os.WriteFile(packed, payload, 0o644); err != nil {
		return err
	}
	ours = &contestant{name: "btfgen", args: []string{s.btfgen, "-i", images[0], "-"}}
	theirs = &contestant{name: tool[0], args: append(tool, packed)}
	if err := interleave(s.rounds, dir, ours, theirs); err != nil {
		return err
	}
	fmt.Printf("%s, %.1f MB\n", filepath.Base(images[0]), float64(len(payload))/1e6)
	show(ours, theirs)
	return os.RemoveAll(tree)
}

// copyFile copies a file, not by way of this process's memory: those that it
// starts would have it in their peak.
func copyFile(to, from string) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, in)
	return n, errors.Join(err, out.Close())
}

func show(ours, theirs *contestant) {
	fmt.Printf("  %-8s%v\n  %-8s%v\n  ratio of medians %.3f\n", ours.name, ours, theirs.name, theirs, float64(ours.median())/float64(theirs.median()))
}

// payloadOf returns the compressed kernel in a bzImage without the size behind
// it, and the command that unpacks it; no command if the file is something else.
func payloadOf(path string) (tool []string, payload []byte, err error) {
	image, err := os.ReadFile(path)
	if err != nil || len(image) < 0x250 || string(image[0x202:0x206]) != "HdrS" {
		return nil, nil, err
	}
	le := binary.LittleEndian
	start := (int(image[0x1f1])+1)*512 + int(le.Uint32(image[0x248:]))
	end := start + int(le.Uint32(image[0x24c:]))
	if end > len(image) || end-start < 8 {
		return nil, nil, errors.New("the image is cut short")
	}
	payload = image[start : end-4]
	for _, t := range []struct {
		magic   string
		command []string
	}{
		{"\x28\xb5\x2f\xfd", []string{"zstd", "-q", "-dc", "--long=31"}},
		{"\x02\x21\x4c\x18", []string{"lz4", "-q", "-dc"}},
		{"\xfd7zXZ", []string{"xz", "-dc"}},
		{"\x1f\x8b", []string{"gzip", "-q", "-dc"}},
	} {
		if !bytes.HasPrefix(payload, []byte(t.magic)) {
			continue
		}
		if t.command[0] == "gzip" {
			payload = image[start:end] // its own end has the size
		}
		if _, err := exec.LookPath(t.command[0]); err != nil {
			return nil, nil, err
		}
		return t.command, payload, nil
	}
	return nil, nil, errors.New("the kernel is packed with something that this benchmark does not know")
}
