package source

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layerOf is a layer of an image: files, whiteouts, and directories and links by
// names that end in a slash or have an arrow.
func layerOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o644, Typeflag: tar.TypeReg}
		if name, target, ok := strings.Cut(f.name, " -> "); ok {
			h = &tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink}
		} else if name, target, ok := strings.Cut(f.name, " => "); ok {
			h = &tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink}
		} else if strings.HasSuffix(f.name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func toJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func digestOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// ociFiles are the files of an OCI image of layers, in the order in which
// skopeo writes them.
func ociFiles(t testing.TB, layers ...[]byte) []file {
	files, digest := ociManifest(t, layers...)
	index := map[string]any{"schemaVersion": 2, "manifests": []any{map[string]any{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest}}}
	return append(files, file{"index.json", toJSON(t, index)}, file{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)})
}

func ociManifest(t testing.TB, layers ...[]byte) (files []file, digest string) {
	manifest := map[string]any{"schemaVersion": 2, "config": map[string]any{"digest": "sha256:" + digestOf(nil)}}
	var list []any
	for _, data := range layers {
		kind := "application/vnd.oci.image.layer.v1.tar"
		if isGzip(data) {
			kind += "+gzip"
		}
		list = append(list, map[string]any{"mediaType": kind, "digest": "sha256:" + digestOf(data), "size": len(data)})
		files = append(files, file{"blobs/sha256/" + digestOf(data), data})
	}
	manifest["layers"] = list
	raw := toJSON(t, manifest)
	return append(files, file{"blobs/sha256/" + digestOf(raw), raw}), "sha256:" + digestOf(raw)
}

// dockerFiles are those of docker save before version 25.
func dockerFiles(t testing.TB, layers ...[]byte) []file {
	var files []file
	var names []string
	for _, data := range layers {
		id := digestOf(append([]byte("id"), data...))
		files = append(files, file{id + "/", nil}, file{id + "/VERSION", []byte("1.0")}, file{id + "/json", []byte("{}")}, file{id + "/layer.tar", data})
		names = append(names, id+"/layer.tar")
	}
	config := digestOf([]byte("config")) + ".json"
	return append(append([]file{{config, []byte("{}")}}, files...),
		file{"manifest.json", toJSON(t, []any{map[string]any{"Config": config, "RepoTags": []string{"a:latest"}, "Layers": names}})})
}

// dockerFiles25 are those of docker save since version 25, without the index.
func dockerFiles25(t testing.TB, layers ...[]byte) []file {
	var files []file
	var names []string
	for _, data := range layers {
		name := "blobs/sha256/" + digestOf(data)
		files = append(files, file{name, data})
		names = append(names, name)
	}
	return append(files, file{"manifest.json", toJSON(t, []any{map[string]any{"Layers": names}})})
}

// dirFiles are those of skopeo's dir: transport.
func dirFiles(t *testing.T, layers ...[]byte) []file {
	files, _ := ociManifest(t, layers...)
	for i := range files {
		files[i].name = filepath.Base(files[i].name)
	}
	files[len(files)-1].name = "manifest.json"
	return append(files, file{"version", []byte("Directory Transport Version: 1.1\n")})
}

// skopeoFiles are those of its docker-archive:, a large layer first.
func skopeoFiles(t *testing.T, layers ...[]byte) []file {
	var files []file
	var names []string
	for _, data := range layers {
		files = append(files, file{digestOf(data) + ".tar", data})
		names = append(names, digestOf(data)+".tar")
	}
	return append(files, file{"manifest.json", toJSON(t, []any{map[string]any{"Layers": names}})})
}

// craneFiles are those of go-containerregistry (crane, ko, kaniko).
func craneFiles(t *testing.T, layers ...[]byte) []file {
	files := []file{{"sha256:" + digestOf(nil), []byte("{}")}}
	var names []string
	for _, data := range layers {
		files = append(files, file{digestOf(data) + ".tar.gz", data})
		names = append(names, digestOf(data)+".tar.gz")
	}
	return append(files, file{"manifest.json", toJSON(t, []any{map[string]any{"Layers": names}})})
}

// namedFiles are those of docker save's older layout with other names, as some
// build tools write it.
func namedFiles(t *testing.T, layers ...[]byte) []file {
	var files []file
	var names []string
	for i, data := range layers {
		names = append(names, fmt.Sprintf("layer%d/layer.tar", i))
		files = append(files, file{names[i], data})
	}
	return append(files, file{"manifest.json", toJSON(t, []any{map[string]any{"Layers": names}})})
}

// Of the layers of an image, the upper ones hide what they replace or remove, in
// every form in which images are saved.
func TestContainerImages(t *testing.T) {
	k := func(release, name string) []byte { return bzImageOf(t, release, kernelOf(release, name)) }
	a, b := k("6.1.0", "a"), k("6.2.0", "b")
	base := layerOf(t, file{"etc/", nil}, file{"etc/os-release", []byte("ID=x")})
	old := layerOf(t, file{"boot/", nil}, file{"boot/vmlinuz-6.1.0", a})
	for _, c := range []struct {
		name   string
		layers [][]byte // the lowest first
		want   string
	}{
		{"one", [][]byte{base, old}, "6.1.0 a"},
		{"in gzip", [][]byte{pack(t, base, "gzip", "-c"), pack(t, old, "gzip", "-c")}, "6.1.0 a"},
		{"in zstd", [][]byte{base, pack(t, old, "zstd", "-c", "-q")}, "6.1.0 a"},
		{"below others", [][]byte{old, base}, "6.1.0 a"},
		{"two", [][]byte{old, layerOf(t, file{"boot/vmlinuz-6.2.0", b})}, "it holds 2 kernels: choose one with --release: 6.1.0, 6.2.0"},
		{"removed", [][]byte{old, layerOf(t, file{"boot/.wh.vmlinuz-6.1.0", nil})}, "no BTF: the image has no kernel in it"},
		{"replaced", [][]byte{old, layerOf(t, file{"boot/vmlinuz-6.1.0", k("6.1.0", "new")})}, "6.1.0 new"},
		{"updated", [][]byte{old, layerOf(t, file{"boot/.wh.vmlinuz-6.1.0", nil}, file{"boot/vmlinuz-6.2.0", b})}, "6.2.0 b"},
		{"removed and back", [][]byte{old, layerOf(t, file{"boot/.wh.vmlinuz-6.1.0", nil}), layerOf(t, file{"boot/vmlinuz-6.1.0", k("6.1.0", "back")})}, "6.1.0 back"},
		{"its directory removed", [][]byte{old, layerOf(t, file{".wh.boot", nil}), base}, "no BTF: the image has no kernel in it"},
		{"its directory opaque", [][]byte{old, layerOf(t, file{"boot/", nil}, file{"boot/.wh..wh..opq", nil}, file{"boot/vmlinuz-6.2.0", b})}, "6.2.0 b"},
		{"its directory there again", [][]byte{old, layerOf(t, file{"boot/", nil})}, "6.1.0 a"},
		{"its directory a file", [][]byte{old, layerOf(t, file{"boot", []byte("x")})}, "no BTF: the image has no kernel in it"},
		{"another's whiteout", [][]byte{old, layerOf(t, file{"boot/.wh.vmlinuz-6.1.0-old", nil}, file{"boot/.wh.vmlinuz", nil})}, "6.1.0 a"},
		{"a whiteout in its own layer", [][]byte{layerOf(t, file{"boot/vmlinuz-6.1.0", a}, file{"boot/.wh.vmlinuz-6.1.0", nil})}, "6.1.0 a"},
		{"OSTree's objects", [][]byte{layerOf(t, file{"sysroot/ostree/repo/objects/ab/cd.file", k("6.1.0", "a")}, file{"usr/lib/modules/6.1.0/vmlinuz => sysroot/ostree/repo/objects/ab/cd.file", nil}, file{"sysroot/ostree/repo/objects/ef/01.file", b})}, "6.1.0 a"},
		{"a link across layers", [][]byte{layerOf(t, file{"nix/store/abc/payload", kernelOf("6.1.0", "a")}), layerOf(t, file{"run/current-system/kernel -> /nix/store/abc/payload", nil})}, "6.1.0 a"},
		{"an empty layer", [][]byte{make([]byte, 1024), old}, "6.1.0 a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for form, files := range map[string][]file{"oci": ociFiles(t, c.layers...), "docker": dockerFiles(t, c.layers...), "docker25": dockerFiles25(t, c.layers...), "dir": dirFiles(t, c.layers...), "skopeo": skopeoFiles(t, c.layers...), "crane": craneFiles(t, c.layers...), "named": namedFiles(t, c.layers...)} {
				archive := layerOf(t, files...)
				inputs := []string{write(t, dir, form+".tar", archive), write(t, dir, form+".tar.gz", pack(t, archive, "gzip", "-c")), filepath.Join(dir, form)}
				for _, f := range files {
					if !strings.HasSuffix(f.name, "/") {
						write(t, inputs[2], f.name, f.data)
					}
				}
				for _, input := range inputs {
					if got := strings.TrimPrefix(strings.TrimPrefix(answer(input, ""), "gzip: "), "tar: "); !strings.HasPrefix(got, c.want) {
						t.Errorf("%s: got %q, want %q", filepath.Base(input), got, c.want)
					}
				}
			}
		})
	}
}

// What manifests say is not trusted.
func TestHostileContainerImages(t *testing.T) {
	old := layerOf(t, file{"boot/vmlinuz-6.1.0", bzImageOf(t, "6.1.0", kernelOf("6.1.0", "a"))})
	layout := file{"oci-layout", []byte("{}")}
	secret := write(t, t.TempDir(), "secret.tar", old)
	manifest := func(layers ...string) []file {
		var list []any
		for _, l := range layers {
			list = append(list, map[string]any{"mediaType": "x.tar", "digest": l})
		}
		raw := toJSON(t, map[string]any{"layers": list})
		return []file{layout, {"index.json", toJSON(t, map[string]any{"manifests": []any{map[string]any{"digest": "sha256:" + digestOf(raw)}}})}, {"blobs/sha256/" + digestOf(raw), raw}}
	}
	loop := []byte(`{"manifests":[{"digest":"sha256:aa"},{"digest":"sha256:aa"},{"digest":"sha256:aa"}]}`)
	whole := ociFiles(t, old)
	amd64, digest := ociManifest(t, old)
	partial := append(amd64, layout, file{"index.json", toJSON(t, map[string]any{"manifests": []any{
		map[string]any{"digest": "sha256:" + digestOf([]byte("arm64, not pulled"))}, map[string]any{"digest": digest}}})})
	for _, c := range []struct {
		name  string
		files []file
		want  string
	}{
		{"part of the platforms", partial, "6.1.0 a"},
		{"no index", []file{layout}, "no BTF"},
		{"no JSON", []file{layout, {"index.json", []byte("{")}}, "index.json is no manifest of an image"},
		{"other JSON", []file{layout, {"index.json", []byte(`[1]`)}}, "index.json is no manifest of an image"},
		{"no images", []file{layout, {"index.json", []byte(`{}`)}}, "no BTF"},
		{"a missing layer", manifest("sha256:" + strings.Repeat("0", 64)), "its layer blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000 is missing"},
		{"a path as digest", manifest("sha256:../../../../" + strings.TrimPrefix(secret, "/")), "no BTF"},
		{"a path as algorithm", manifest("../..:aa", "..:aa", ".:aa", ":aa", "sha256:"), "no BTF"},
		{"a path as docker's layer", []file{{"manifest.json", toJSON(t, []any{map[string]any{"Layers": []string{"../../../../../../../.." + secret, secret}}})}}, "is missing"},
		{"an index of itself", []file{layout, {"index.json", loop}, {"blobs/sha256/aa", loop}}, "no BTF"},
		{"a layer that is none", manifest("sha256:aa"), "is missing"},
		{"a layer that is text", append(manifest("sha256:aa"), file{"blobs/sha256/aa", []byte("text")}), "no tar archive"},
		{"a large index", []file{layout, {"index.json", bytes.Repeat([]byte(" "), maxManifest+1)}}, "index.json has more than 4194304 bytes"},
		{"many layers", []file{{"manifest.json", toJSON(t, []any{map[string]any{"Layers": make([]string, maxLayers+1)}})}}, "more than 512 layers"},
		{"JSON beside a kernel", []file{{"manifest.json", []byte(`{"name":"an extension"}`)}, {"vmlinuz", bzImageOf(t, "6.1.0", kernelOf("6.1.0", "a"))}}, "6.1.0 a"},
		{"cut short", whole[:1], "no BTF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			inputs := []string{write(t, dir, "image.tar", layerOf(t, c.files...)), filepath.Join(dir, "image")}
			for _, f := range c.files {
				write(t, inputs[1], f.name, f.data)
			}
			for _, input := range inputs {
				if got := answer(input, ""); !strings.Contains(got, c.want) {
					t.Errorf("%s: got %q, want %q", filepath.Base(input), got, c.want)
				}
			}
		})
	}
	if _, err := os.Stat(secret); err != nil {
		t.Fatal(err)
	}
}
