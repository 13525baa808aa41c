package testtools

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// everything is what the script looks for, but for the compilers of BPF.
const everything = "make gcc bpftool objcopy gzip bzip2 xz zstd lz4 lzop cpio tar zsh fish apt-get dpkg-deb gpg gpg-agent flock find mandoc groff"

// A machine is what the script finds.
type machine struct {
	release   string // of /etc/os-release: ID, or ID and ID_LIKE
	installed string // commands beside everything; clang-N has the version N, "clang=N" too
	lacks     string // commands of everything that are not there
	apt       string // versions of clang that apt has; the first half of "a | b" before its update
	user      bool   // neither root nor sudo
	ci        bool
}

// run runs the script there, and returns its exit code and what it said. apt
// installs nothing but what is said in its log.
func (m machine) run(t *testing.T, args ...string) (code int, said, log string) {
	t.Helper()
	dir := t.TempDir()
	bin, logFile := filepath.Join(dir, "bin"), filepath.Join(dir, "log")
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bash", "sed", "awk", "sort", "uniq", "env", "cat", "touch", "tr"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		write("bin/"+name, "#!/bin/sh\nexec "+path+" \"$@\"\n")
	}
	for _, name := range strings.Fields(everything) {
		if strings.Contains(" "+m.lacks+" ", " "+name+" ") {
			continue
		}
		write("bin/"+name, "#!/bin/sh\necho "+name+" v1\n")
	}
	clang := func(name, version string) string {
		return fmt.Sprintf("#!/bin/sh\ncase $1 in --version) echo Debian clang version %s.0.6;; *) echo %s.0.6;; esac\n", version, version)
	}
	for _, name := range strings.Fields(m.installed) {
		name, version, _ := strings.Cut(name, "=")
		if version == "" {
			_, version, _ = strings.Cut(name, "-")
		}
		write("bin/"+name, clang(name, version))
	}
	id, like, _ := strings.Cut(m.release, " ")
	write("etc/os-release", fmt.Sprintf("ID=%s\nID_LIKE=%q\n", id, like))
	write("usr/include/stdio.h", "")
	write("usr/include/bpf/bpf_helpers.h", "")
	if !strings.Contains(m.lacks, "musl") {
		write("usr/include/x86_64-linux-musl/stdint.h", "")
	}
	uid := "0"
	if m.user {
		uid = "1000"
	}
	write("bin/id", "#!/bin/sh\necho "+uid+"\n")
	before, after, _ := strings.Cut(m.apt, "|")
	if after == "" {
		after = before
	}
	if m.apt != "" {
		list := func(versions string) (script string) {
			for _, v := range strings.Fields(versions) {
				script += "echo 'clang-" + v + " - C compiler'\n"
			}
			return script + ":\n"
		}
		write("bin/apt-cache", "#!/bin/sh\nif [ -e "+dir+"/updated ]; then\n"+list(after)+"else\n"+list(before)+"fi\n")
		// Installs what it is told to, as far as that is a clang.
		write("bin/apt-get", `#!/bin/sh
echo "$@" >>`+logFile+`
case "$*" in *update*) touch `+dir+`/updated;; *--simulate*) ;;
*install*) for p; do case $p in clang-*)
	printf '#!/bin/sh\necho clang version %s.0.6\n' "${p#clang-}" >`+bin+`/$p; `+mustLook(t, "chmod")+` +x `+bin+`/$p;;
gcc-bpf) printf '#!/bin/sh\necho 12\n' >`+bin+`/bpf-gcc; `+mustLook(t, "chmod")+` +x `+bin+`/bpf-gcc;; esac; done;; esac
`)
	}
	script, err := filepath.Abs("../install-test-tools.sh")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	// The machine's own directories are no part of the one that is made up.
	write("script.sh", strings.Replace(string(text), "PATH=$PATH:/usr/sbin:/sbin", "", 1))
	if !strings.Contains(string(text), "PATH=$PATH:/usr/sbin:/sbin") {
		t.Fatal("the script sets another PATH")
	}
	cmd := exec.Command(mustLook(t, "bash"), append([]string{filepath.Join(dir, "script.sh")}, args...)...)
	cmd.Env = []string{"PATH=" + bin, "TEST_TOOLS_FILES=" + dir}
	if m.ci {
		cmd.Env = append(cmd.Env, "CI=true")
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	asked, err := os.ReadFile(logFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return code, string(out), string(asked)
}

func mustLook(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Which compilers are installed follows from what apt has, in CI as elsewhere.
func TestCompilers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		machine machine
		install string // what apt is asked to install, "" for nothing at all
	}{
		{"Debian 12", machine{release: "debian", apt: "|13 14 15 16 19 22"}, "clang-14 clang-16 clang-19 clang-22 gcc-bpf"},
		{"Debian 13", machine{release: "debian", apt: "|17 18 19 22"}, "clang-17 clang-19 clang-22 gcc-bpf"},
		{"in CI", machine{release: "debian", apt: "|17 18 19 22", ci: true}, "clang-17 clang-19 clang-22 gcc-bpf"},
		{"newer ones than are promised", machine{release: "ubuntu debian", apt: "|18 19 20 21 22 23 24"}, "clang-18 clang-19 clang-22 clang-24 gcc-bpf"},
		{"none of the promised", machine{release: "debian", apt: "|11 13 15 17 18"}, "clang-15 clang-18 gcc-bpf"},
		{"some are there", machine{release: "debian", apt: "14 16 | 14 16 19 22", installed: "clang-14 clang-16"}, "clang-19 clang-22 gcc-bpf"},
		{"by another name", machine{release: "debian", apt: "14 15", installed: "clang=14 bpf-gcc"}, "clang-15"},
		{"all are there", machine{release: "debian", apt: "14 15 16 19 22", installed: "clang-14 clang-16 clang-19 clang-22 bpf-gcc"}, ""},
		{"gcc for BPF by its longer name", machine{release: "debian", apt: "17 18 19 22", installed: "clang-17 clang-19 clang-22 bpf-unknown-none-gcc"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, said, log := test.machine.run(t)
			want := ""
			if test.install != "" {
				want = "-q update\n-q install -y --no-install-recommends " + test.install + "\n"
			}
			if code != 0 || log != want {
				t.Errorf("exit code %d, apt-get was asked\n%swant\n%s%s", code, log, want, said)
			}
			if !strings.Contains(said, "testing with: clang") {
				t.Errorf("it said\n%s", said)
			}
		})
	}
}

// A dry run has apt say what it would do, and no more.
func TestDryRun(t *testing.T) {
	t.Parallel()
	code, said, log := machine{release: "debian", apt: "|17 18 19 22", lacks: "fish"}.run(t, "dry-run")
	if want := "-q update\n-q --simulate install -y --no-install-recommends clang-17 clang-19 clang-22 gcc-bpf fish\n"; code != 0 || log != want {
		t.Errorf("exit code %d, apt-get was asked\n%swant\n%s%s", code, log, want, said)
	}
}

// Where apt can't be used, what is missing is said by the names that it has there.
func TestMissing(t *testing.T) {
	t.Parallel()
	const bpf = " bpf-gcc"
	for _, test := range []struct {
		name    string
		machine machine
		says    []string
	}{
		{"Debian without root", machine{release: "debian", apt: "17 18 19 22", user: true, lacks: "xz gpg musl"},
			[]string{"packages of Debian, which are missing: clang-17 clang-19 clang-22 gcc-bpf musl-dev xz-utils gpg\n", "    sudo apt-get install -y clang-17 clang-19 clang-22 gcc-bpf musl-dev xz-utils gpg\n"}},
		{"Debian whose lists are empty", machine{release: "debian", apt: " ", user: true},
			[]string{"need two versions of clang, from 14 on, and apt knows of none", "sudo apt-get update"}},
		{"Debian with one clang only", machine{release: "debian", apt: "19"},
			[]string{"need two versions of clang, from 14 on, and apt knows of 19"}},
		{"Fedora", machine{release: "fedora", lacks: "xz gpg gpg-agent bpftool"},
			[]string{"packages of Fedora, which are missing: clang gcc-bpf-unknown-none bpftool xz gnupg2\n", "    sudo dnf install -y clang gcc-bpf-unknown-none bpftool xz gnupg2\n"}},
		{"Rocky", machine{release: "rocky rhel centos fedora", installed: "clang=19" + bpf, lacks: "lzop"}, []string{"    sudo dnf install -y lzop\n"}},
		{"Arch", machine{release: "arch", lacks: "bpftool objcopy musl"},
			[]string{"packages of Arch, which are missing: clang musl bpf binutils\n", "    sudo pacman -S --needed clang musl bpf binutils\n"}},
		{"Alpine", machine{release: "alpine", installed: "clang-19", lacks: "flock dpkg-deb apt-get musl"}, []string{"    sudo apk add apt dpkg flock\n"}},
		{"another", machine{release: "void", installed: "clang-19" + bpf, lacks: "gpg"},
			[]string{"of Debian, which are missing: gpg\n", "of Fedora, which are missing: gnupg2\n", "of Arch, which are missing: gnupg\n", "of Alpine, which are missing: gnupg\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, said, log := test.machine.run(t)
			if code != 1 || strings.Contains(log, "install") {
				t.Errorf("exit code %d, apt-get was asked %q", code, log)
			}
			for _, want := range test.says {
				if !strings.Contains(said, want) {
					t.Errorf("it said\n%swant\n%s", said, want)
				}
			}
		})
	}
	if code, said, _ := (machine{release: "arch", installed: "clang=19"}).run(t); code != 0 {
		t.Errorf("gcc for BPF, which Arch has no package of, is asked for: %s", said)
	}
}

// Of the promised compilers that are not there one line tells, and it fails in CI.
func TestUntested(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		installed, lacks string
	}{
		{"clang-14 clang-16 clang-19 clang-22 bpf-gcc", ""},
		{"clang=14 clang-16 clang-19 clang-22 bpf-unknown-none-gcc", ""},
		{"clang-17 clang-19 clang-22 bpf-gcc", "clang 14, clang 16"},
		{"clang-14 clang-16 clang-19 clang-23 bpf-gcc", "clang 22"},
		{"clang-14 clang-16 clang-19 clang-22", "gcc for BPF"},
		{"", "clang 14, clang 16, clang 19, clang 22, gcc for BPF"},
	} {
		for _, ci := range []bool{false, true} {
			code, said, _ := machine{release: "debian", installed: test.installed, ci: ci}.run(t, "untested")
			want := ""
			if test.lacks != "" {
				want = "NOT TESTED with " + test.lacks + " (promised"
			}
			if (said == "") != (want == "") || !strings.HasPrefix(said, want) || strings.Count(said, "\n") > 1 {
				t.Errorf("with %q it said %q, want %q", test.installed, said, want)
			}
			if fails := code != 0; fails != (ci && test.lacks != "") {
				t.Errorf("with %q, CI %v: exit code %d", test.installed, ci, code)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	code, said, _ := machine{release: "debian"}.run(t, "instal")
	if code != 1 || !strings.Contains(said, "there is no command instal") {
		t.Errorf("exit code %d, %q", code, said)
	}
}
