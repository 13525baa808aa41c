package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// packages goes through all kernels, see fromPackage.
func (d driver) packages(ctx context.Context, dirs []string) ([]result, error) {
	tmp, err := os.MkdirTemp("", "btfgen-corpus-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	var rows []result
	for _, dir := range dirs {
		row := d.fromPackage(ctx, dir, tmp)
		if ctx.Err() != nil {
			return rows, fmt.Errorf("interrupted at %s", filepath.Base(dir))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// fromPackage has btfgen read the kernel from its Debian package, and compares
// that with what extract.sh got from the same package without btfgen.
func (d driver) fromPackage(ctx context.Context, dir, tmp string) result {
	start := time.Now()
	row := result{kernel: filepath.Base(dir), header: "BTF from its package"}
	if err := d.samePackage(ctx, dir, tmp); err != nil {
		row.broken = 1
		d.log("%s, from its package: %v", row.kernel, err)
	}
	row.seconds = time.Since(start).Seconds()
	return row
}

func (d driver) samePackage(ctx context.Context, dir, tmp string) error {
	want, err := os.ReadFile(filepath.Join(dir, "vmlinux.btf"))
	if err != nil {
		return err
	}
	list, err := os.ReadFile(filepath.Join(dir, "package"))
	if err != nil {
		return err
	}
	for name := range strings.Lines(string(list)) {
		// The image has been in linux-binary since Debian's 7.2.
		name = strings.TrimSpace(name)
		if !strings.HasPrefix(name, "linux-binary-") && (!strings.HasPrefix(name, "linux-image-") || bytes.Contains(list, []byte("linux-binary-"))) {
			continue
		}
		var stderr bytes.Buffer
		out := filepath.Join(tmp, "package.btf")
		cmd := d.command(ctx, "-i", filepath.Join(filepath.Dir(filepath.Dir(dir)), "debs", name), out)
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, lastLine(stderr.String()))
		}
		got, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s: BTF of %d bytes (sha256 %x), but the extracted one has %d (%x)", name, len(got), sha256.Sum256(got), len(want), sha256.Sum256(want))
		}
		return nil
	}
	return fmt.Errorf("no package with a kernel image is listed")
}
