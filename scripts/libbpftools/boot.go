package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/cavaliergopher/cpio"
)

// machine is the program that runs virtual machines.
const machine = "qemu-system-x86_64"

// bootTime is how long a virtual machine may take.
const bootTime = 20 * time.Minute

// bootAndLoad starts a kernel of the cache in a virtual machine, and has it load
// the programs of objects.
func (r *runner) bootAndLoad(k *kernel, objects []string) (loads, error) {
	if k.arch != "x86" {
		return nil, errors.New("only kernels for x86 are started")
	}
	image, err := r.kernelImage(k)
	if err != nil {
		return nil, err
	}
	imagePath, rootPath := filepath.Join(k.dir, "vmlinuz"), filepath.Join(k.dir, "initramfs")
	first, err := r.firstProgram()
	if err != nil {
		return nil, err
	}
	root, names, err := initramfs(first, objects)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(imagePath, image, 0o644), os.WriteFile(rootPath, root, 0o644)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.ctx, bootTime)
	defer cancel()
	// Emulated: KVM, where there is one, may be too old for a kernel, or nested.
	ran := command(ctx, machine, "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "2G", "-smp", "1",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-kernel", imagePath, "-initrd", rootPath, "-append", "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off")
	if ran.err != nil && ctx.Err() == nil {
		return nil, ran.err
	}
	return parseLoads(ran.stdout, names)
}

// kernelImage returns the kernel's image, which one of its packages has.
func (r *runner) kernelImage(k *kernel) ([]byte, error) {
	list, err := os.ReadFile(filepath.Join(filepath.Dir(k.input), "package"))
	if err != nil {
		return nil, fmt.Errorf("it is not in corpus.sh's cache: %w", err)
	}
	for _, name := range strings.Fields(string(list)) {
		image, err := vmlinuz(r.ctx, filepath.Join(r.cache, "debs", name))
		if image != nil || err != nil {
			return image, err
		}
	}
	return nil, errors.New("its packages have no vmlinuz")
}

// vmlinuz returns the kernel's image in a package, nil if it has none.
func vmlinuz(ctx context.Context, deb string) (image []byte, err error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for files := tar.NewReader(out); ; {
		header, err := files.Next()
		if err == io.EOF {
			return nil, cmd.Wait()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", deb, errors.Join(err, cmd.Wait()))
		}
		if base := path.Base(header.Name); header.Typeflag == tar.TypeReg && (base == "vmlinuz" || strings.HasPrefix(base, "vmlinuz-")) {
			image, err = io.ReadAll(files)
			out.Close()
			_ = cmd.Wait() // which had more to say
			return image, err
		}
	}
}

// firstProgram builds this program so that it needs no libraries, once.
func (r *runner) firstProgram() (string, error) {
	path := filepath.Join(r.work, "init")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, command(r.ctx, "env", "CGO_ENABLED=0", "go", "build", "-o", path, "./scripts/libbpftools").err
}

// initramfs returns a file system with a program to start, and objects. names
// are the objects' paths by their names there.
func initramfs(first string, objects []string) (archive []byte, names map[string]string, err error) {
	var out bytes.Buffer
	files := cpio.NewWriter(&out)
	add := func(name, from string) error {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := files.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | 0o755, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err = files.Write(data)
		return err
	}
	if err := add("init", first); err != nil {
		return nil, nil, err
	}
	names = make(map[string]string)
	for i, path := range objects {
		name := fmt.Sprintf("%05d.bpf.o", i)
		names[name] = path
		if err := add(name, path); err != nil {
			return nil, nil, err
		}
	}
	err = files.Close()
	return out.Bytes(), names, err
}

// parseLoads reads what printLoads printed on a machine's console.
func parseLoads(console string, names map[string]string) (loads, error) {
	answer := make(loads)
	for _, line := range strings.Split(console, "\n") {
		_, line, found := strings.Cut(strings.TrimRight(line, "\r"), loadedMark)
		field := strings.Split(line, "\t")
		switch {
		case !found:
		case line == "end":
			return answer, nil
		case len(field) != 3 || names[field[0]] == "":
			return nil, fmt.Errorf("the machine printed an odd line: %q", line)
		default:
			answer[loadKey{names[field[0]], field[1]}] = field[2]
		}
	}
	const shown = 400
	return nil, fmt.Errorf("the machine did not come to the end: %q", console[max(0, len(console)-shown):])
}
