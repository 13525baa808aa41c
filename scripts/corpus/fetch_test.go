package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// An archive is a Debian archive, with signatures of its own, that corpus.sh
// is given in place of the real one. apt is the machine's.
type archive struct {
	t     *testing.T
	dir   string // pool and dists
	home  string // of gpg
	cache string
	url   string

	mu       sync.Mutex
	requests []string // of packages
}

func newArchive(t *testing.T) *archive {
	a := &archive{t: t, dir: t.TempDir(), home: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".deb") {
			a.mu.Lock()
			a.requests = append(a.requests, path.Base(r.URL.Path))
			a.mu.Unlock()
		}
		http.FileServer(http.Dir(a.dir)).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	a.gpg(nil, "--quick-generate-key", "--passphrase", "", "test", "ed25519", "sign", "never")
	a.write("keyring.gpg", a.gpg(nil, "--export"))
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", a.home, "--kill", "all").Run() })
	return a
}

func (a *archive) gpg(input []byte, args ...string) []byte {
	a.t.Helper()
	return tool(a.t, input, "gpg", append([]string{"--homedir", a.home, "--batch", "--quiet"}, args...)...)
}

func (a *archive) write(name string, data []byte) {
	a.t.Helper()
	file := filepath.Join(a.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// A deb is a package to be built.
type deb struct {
	name, version, arch, depends string
	files                        tree
}

// publish makes a suite of the packages. Every architecture named has a list of
// packages, if only an empty one.
func (a *archive) publish(suite string, archs []string, debs ...deb) {
	a.t.Helper()
	lists := map[string]*bytes.Buffer{}
	for _, arch := range archs {
		lists[arch] = &bytes.Buffer{}
	}
	for _, d := range debs {
		control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: nobody <nobody@localhost>\nDescription: x\n", d.name, d.version, d.arch)
		if d.depends != "" {
			control += "Depends: " + d.depends + "\n"
		}
		data, err := os.ReadFile(pack(a.t, mergeTrees(d.files, tree{"DEBIAN/control": []byte(control)})))
		if err != nil {
			a.t.Fatal(err)
		}
		name := fmt.Sprintf("pool/%s_%s_%s.deb", d.name, d.version, d.arch)
		a.write(name, data)
		fmt.Fprintf(lists[d.arch], "%sFilename: %s\nSize: %d\nSHA256: %x\n\n", control, name, len(data), sha256.Sum256(data))
	}
	release := fmt.Sprintf("Origin: Debian\nSuite: %s\nCodename: %s\nDate: %s\nArchitectures: %s\nComponents: main\nSHA256:\n",
		suite, suite, time.Now().UTC().Format(time.RFC1123), strings.Join(archs, " "))
	for _, arch := range archs {
		name, list := "main/binary-"+arch+"/Packages", lists[arch].Bytes()
		a.write("dists/"+suite+"/"+name, list)
		release += fmt.Sprintf(" %x %d %s\n", sha256.Sum256(list), len(list), name)
	}
	a.write("dists/"+suite+"/InRelease", a.gpg([]byte(release), "--clearsign"))
}

// corpus runs corpus.sh. It returns what it printed, what it said, its exit
// code and the packages that it downloaded.
func (a *archive) corpus(args ...string) (stdout, stderr string, code int, downloads []string) {
	a.t.Helper()
	a.mu.Lock()
	a.requests = nil
	a.mu.Unlock()
	var out, said bytes.Buffer
	cmd := exec.Command("../corpus.sh", args...)
	cmd.Env = append(os.Environ(), "BTFGEN_CORPUS="+a.cache, "BTFGEN_CORPUS_MIRROR="+a.url,
		"BTFGEN_CORPUS_KEYRING="+filepath.Join(a.dir, "keyring.gpg"), "no_proxy=127.0.0.1")
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			a.t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.Sort(a.requests)
	return out.String(), said.String(), code, a.requests
}

func (a *archive) fetch(code int, globs ...string) (table string, downloads []string) {
	a.t.Helper()
	table, said, got, downloads := a.corpus(append([]string{"fetch"}, globs...)...)
	if got != code {
		a.t.Fatalf("exit code %d, want %d\n%s%s", got, code, table, said)
	}
	return table, downloads
}

// want compares what a kernel's directory holds, but for the manifest, which
// sha256sum checks.
func (a *archive) want(kernel string, files tree) {
	a.t.Helper()
	dir := filepath.Join(a.cache, "kernels", kernel)
	for name, data := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, data) {
			a.t.Errorf("%s/%s: got %q (%v), want %q", kernel, name, got, err, data)
		}
	}
	check := exec.Command("sha256sum", "-c", "--strict", "manifest")
	check.Dir = dir
	out, err := check.CombinedOutput()
	if err != nil {
		a.t.Errorf("%s: %v\n%s", kernel, err, out)
	}
	for name := range files {
		if strings.HasSuffix(name, ".btf") && !strings.Contains(string(out), name+": OK\n") {
			a.t.Errorf("%s: the manifest lacks %s:\n%s", kernel, name, out)
		}
	}
}

// line finds a package's line of the table, and returns it in single blanks.
func line(t *testing.T, table, suite, pkg string) string {
	t.Helper()
	for l := range strings.Lines(table) {
		if f := strings.Fields(l); len(f) > 2 && f[0] == suite && f[1] == pkg {
			return strings.Join(f[2:], " ")
		}
	}
	t.Errorf("the table has no line on %s/%s:\n%s", suite, pkg, table)
	return ""
}

func wantList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	kernel, module := small(nil), btftest.Corpus(t, "amd64-7.2-cloud.veth")
	other := small(func(b *btftest.Builder) { b.Int("char", 1, 0) })
	image := func(btf []byte) []byte { return elfWith(t, "elf64-little", ".BTF", btf) }
	ko := image(module)

	// All in one package, as up to 6.12, and one architecture without BTF.
	old := func(version string, btf []byte) {
		a.publish("bookworm", []string{"amd64", "s390x"},
			deb{"linux-image-amd64", version, "amd64", "linux-image-6.1.0-9-amd64 (= " + version + ")", nil},
			deb{"linux-image-6.1.0-9-amd64", version, "amd64", "kmod, linux-base (>= 4.3)", tree{
				"boot/vmlinuz-6.1.0-9-amd64": image(btf), "lib/modules/6.1.0-9-amd64/veth.ko": ko}},
			deb{"linux-image-s390x", version, "s390x", "linux-image-6.1.0-9-s390x (= " + version + ")", nil},
			deb{"linux-image-6.1.0-9-s390x", version, "s390x", "", tree{
				"boot/vmlinuz-6.1.0-9-s390x": noise(), "boot/config-6.1.0-9-s390x": []byte("# CONFIG_DEBUG_INFO_BTF is not set\n")}})
	}
	old("6.1.9-1", kernel)
	// Several packages, with a "+" and a "~" in names and versions.
	const v = "7.2.1-1~b+1"
	a.publish("sid", []string{"amd64"},
		deb{"linux-image-amd64", v, "amd64", "linux-base-amd64, linux-image-7.2.1+deb14-amd64 (= " + v + ")", nil},
		deb{"linux-base-amd64", v, "amd64", "linux-base-7.2.1+deb14-amd64", nil},
		deb{"linux-image-7.2.1+deb14-amd64", v, "amd64", "initramfs-tools | dracut, linux-binary-7.2.1+deb14-amd64, linux-modules-7.2.1+deb14-amd64", nil},
		deb{"linux-base-7.2.1+deb14-amd64", v, "amd64", "", tree{"boot/config-7.2.1+deb14-amd64": []byte("CONFIG_DEBUG_INFO_BTF=y\n")}},
		deb{"linux-binary-7.2.1+deb14-amd64", v, "amd64", "linux-base-7.2.1+deb14-amd64", tree{"usr/lib/modules/7.2.1+deb14-amd64/vmlinuz": image(other)}},
		deb{"linux-modules-7.2.1+deb14-amd64", v, "amd64", "kmod", tree{"usr/lib/modules/7.2.1+deb14-amd64/kernel/a-b.ko.xz": compress(t, "xz", ko)}},
		deb{"initramfs-tools", "1", "amd64", "", nil})

	const (
		oldDeb = "linux-image-6.1.0-9-amd64_6.1.9-1_amd64.deb"
		tail   = "-7.2.1+deb14-amd64_" + v + "_amd64.deb"
	)
	table, downloads := a.fetch(0, "bookworm/linux-image-[as]*", "sid/linux-image-amd64")
	wantList(t, "first downloads", downloads, "linux-base"+tail, "linux-binary"+tail,
		oldDeb, "linux-image-6.1.0-9-s390x_6.1.9-1_s390x.deb", "linux-image"+tail, "linux-modules"+tail)
	btfSize := fmt.Sprint((len(module) + 1023) / 1024)
	for _, want := range []struct{ suite, pkg, line string }{
		{"bookworm", "linux-image-amd64", "6.1.0-9-amd64 6.1.9-1 1 1 " + btfSize + " "},
		{"bookworm", "linux-image-arm64", "- not in this suite"},
		{"bookworm", "linux-image-s390x", "- vmlinuz-6.1.0-9-s390x: built without BTF"},
		{"sid", "linux-image-amd64", "7.2.1+deb14-amd64 " + v + " 1 1 " + btfSize + " "},
	} {
		if got := line(t, table, want.suite, want.pkg); !strings.HasPrefix(got, want.line) {
			t.Errorf("%s/%s: got %q, want %q", want.suite, want.pkg, got, want.line)
		}
	}
	a.want("6.1.0-9-amd64", tree{"vmlinux.btf": kernel, "modules/veth.btf": module, "package": []byte(oldDeb + "\n")})
	a.want("7.2.1+deb14-amd64", tree{"vmlinux.btf": other, "modules/a_b.btf": module,
		"package": []byte("linux-base" + tail + "\nlinux-binary" + tail + "\nlinux-image" + tail + "\nlinux-modules" + tail + "\n")})

	// What is there is not fetched again, and what an interrupt left goes.
	left := filepath.Join(a.cache, "kernels/.new.interrupted/modules")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	again, downloads := a.fetch(0, "bookworm/linux-image-[as]*", "sid/linux-image-amd64")
	wantList(t, "downloads when all is there", downloads)
	if again != table {
		t.Errorf("the second table differs: %s\n%s", again, table)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", left, err)
	}
	// A kernel without its name's directory is unpacked again, from the packages.
	if err := os.RemoveAll(filepath.Join(a.cache, "kernels/6.1.0-9-amd64")); err != nil {
		t.Fatal(err)
	}
	_, downloads = a.fetch(0, "bookworm/linux-image-amd64")
	wantList(t, "downloads when the packages are there", downloads)
	a.want("6.1.0-9-amd64", tree{"vmlinux.btf": kernel})

	// A package that is damaged is fetched again when it is needed.
	if err := os.RemoveAll(filepath.Join(a.cache, "kernels/6.1.0-9-amd64")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.cache, "debs", oldDeb), []byte("!<arch>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, downloads = a.fetch(0, "bookworm/linux-image-amd64")
	wantList(t, "downloads when a package is damaged", downloads, oldDeb)
	a.want("6.1.0-9-amd64", tree{"vmlinux.btf": kernel})

	// The same kernel release in a newer version takes the older one's place.
	old("6.1.9-2", other)
	_, downloads = a.fetch(0, "bookworm/linux-image-amd64")
	newDeb := "linux-image-6.1.0-9-amd64_6.1.9-2_amd64.deb"
	wantList(t, "downloads of the newer version", downloads, newDeb)
	a.want("6.1.0-9-amd64", tree{"vmlinux.btf": other, "package": []byte(newDeb + "\n")})
	if _, err := os.Stat(filepath.Join(a.cache, "debs", oldDeb)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still in the cache (%v)", oldDeb, err)
	}

	stdout, _, code, _ := a.corpus("list")
	var names []string
	for l := range strings.Lines(stdout) {
		names = append(names, strings.Join(strings.Fields(l)[:3], " "))
	}
	wantList(t, "list", names, "kernel version arch", "6.1.0-9-amd64 6.1.9-2 amd64", "7.2.1+deb14-amd64 "+v+" amd64")
	if code != 0 {
		t.Errorf("list: exit code %d", code)
	}
	if stdout, _, code, _ := a.corpus("path", "6.1.0-9-amd64"); stdout != filepath.Join(a.cache, "kernels/6.1.0-9-amd64")+"\n" || code != 0 {
		t.Errorf("path: exit code %d, %q", code, stdout)
	}
}

// What can't be had is said, with apt's reason, and doesn't keep the rest from
// being fetched.
func TestFetchFailures(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	btf := small(nil)
	suite := func(name, kernel string, image []byte) {
		a.publish(name, []string{"amd64"},
			deb{"linux-image-amd64", "1", "amd64", "linux-image-" + kernel, nil},
			deb{"linux-image-" + kernel, "1", "amd64", "", tree{"boot/vmlinuz-1": image}})
	}
	elf := elfWith(t, "elf64-little", ".BTF", btf)
	suite("bookworm", "1-amd64", elf)
	a.write("dists/bookworm/main/binary-amd64/Packages", []byte("Package: linux-image-amd64\n"))
	suite("bookworm-backports", "2-amd64", elf)
	a.write("pool/linux-image-2-amd64_1_amd64.deb", []byte("not what was signed"))
	suite("trixie", "3-amd64", noise())
	suite("sid", "4-amd64", elf)

	table, _ := a.fetch(1, "*/linux-image-amd64")
	for suite, want := range map[string]string{
		"bookworm":           "- FAILED: Failed to fetch " + a.url + "/dists/bookworm/main/binary-amd64/Packages",
		"bookworm-backports": "- FAILED: Failed to fetch " + a.url + "/pool/linux-image-2-amd64_1_amd64.deb",
		"trixie":             "- FAILED: vmlinuz-1: no BTF was found",
		"trixie-backports":   "- FAILED: The repository '" + a.url + " trixie-backports Release' does not have a Release file.",
		"sid":                "4-amd64 1 1 0 0 ",
	} {
		if got := line(t, table, suite, "linux-image-amd64"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", suite, got, want)
		}
	}
	a.want("4-amd64", tree{"vmlinux.btf": btf})
	entries, err := os.ReadDir(filepath.Join(a.cache, "kernels"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("the cache has %v, not one kernel", entries)
	}

	// Signed by somebody else: apt names the key that is missing, in words that
	// depend on what checks signatures, gpgv (Debian 12) or sqv (Debian 13).
	b := newArchive(t)
	a.write("keyring.gpg", b.gpg(nil, "--export"))
	table, downloads := a.fetch(1, "sid/linux-image-amd64")
	if got := line(t, table, "sid", "linux-image-amd64"); !strings.HasPrefix(got, "- FAILED: ") || !strings.Contains(got, a.keyID()) {
		t.Errorf("with another key than %s: got %q", a.keyID(), got)
	}
	wantList(t, "downloads with another key", downloads)
}

// keyID is the last 16 digits of the fingerprint of the key that signs.
func (a *archive) keyID() string {
	a.t.Helper()
	for l := range strings.Lines(string(a.gpg(nil, "--list-keys", "--with-colons"))) {
		if f := strings.Split(l, ":"); f[0] == "pub" {
			return f[4]
		}
	}
	a.t.Fatal("there is no key")
	return ""
}

func TestCorpusUsage(t *testing.T) {
	t.Parallel()
	a := &archive{t: t, dir: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache"), url: "http://localhost"}
	a.write("keyring.gpg", nil)
	for _, test := range []struct {
		args string
		code int
		says string // on standard output if the code is 0
	}{
		{"", 0, "corpus.sh fetch [GLOB...]"},
		{"help", 0, "  sid/linux-image-riscv64\n"},
		{"list", 1, "run corpus.sh fetch"},
		{"path", 0, a.cache + "\n"},
		{"path 6.1", 1, "there is no kernel 6.1 in " + a.cache},
		{"fetsh", 1, "there is no command fetsh: corpus.sh help lists them"},
		{"fetch nothing/like-this", 1, "no package matches nothing/like-this"},
	} {
		stdout, stderr, code, _ := a.corpus(strings.Fields(test.args)...)
		said := stdout
		if code != 0 {
			said = stderr
		}
		if code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%q: exit code %d, want %d; got %q, want %q", test.args, code, test.code, said, test.says)
		}
	}
}
