package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// embedded returns the BPF objects that a program carries in its data, which is
// where the skeletons of libbpf's tools have them. Each is an ELF file whose
// section headers, which stand last in what clang and bpftool write, tell its end.
func embedded(program []byte) ([][]byte, error) {
	var objects [][]byte
	for rest := program; ; {
		i := bytes.Index(rest, []byte(elf.ELFMAG))
		if i < 0 {
			break
		}
		rest = rest[i:]
		object, err := bpfObject(rest)
		if err == nil {
			objects = append(objects, object)
			rest = rest[len(object):]
			continue
		}
		rest = rest[len(elf.ELFMAG):]
	}
	if len(objects) == 0 {
		return nil, errors.New("has no BPF object in it")
	}
	return objects, nil
}

// bpfObject returns the BPF object that data starts with.
func bpfObject(data []byte) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if f.Machine != elf.EM_BPF || f.Class != elf.ELFCLASS64 {
		return nil, fmt.Errorf("is for %s", f.Machine)
	}
	start := f.ByteOrder.Uint64(data[40:])                                                // e_shoff
	size := uint64(f.ByteOrder.Uint16(data[58:])) * uint64(f.ByteOrder.Uint16(data[60:])) // e_shentsize, e_shnum
	if end := start + size; end >= start && end <= uint64(len(data)) {
		return data[:end], nil
	}
	return nil, errors.New("ends before its section headers")
}
