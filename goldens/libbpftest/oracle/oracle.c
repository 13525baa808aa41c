// What libbpf makes of BPF objects on kernels that are given as files of BTF.
//
// Reads lines of "OBJECT<tab>BTF" from stdin and has libbpf load each object as
// if that BTF were the running kernel's. No kernel is asked: the calls of bpf(2)
// that libbpf does are answered by syscall below, so that no privilege is
// needed, and the object's own instructions are the only thing that matters.
//
// More files of BTF may follow on the line: of modules, split BTF on the
// kernel's. libbpf looks at modules only if it takes the kernel's BTF from its
// usual place, so whoever opens that place gets the file instead.
//
// For each line it prints, separated by tabs:
//
//     case    OBJECT  BTF
//     code    PROGRAM INSTRUCTIONS    in hexadecimal, as libbpf gives them to the kernel
//     error   PROGRAM ERRNO LOG       where libbpf refuses to load the program
//     failed  ERRNO LOG               where it refuses the object and blames no program
//
// and first of all "libbpf MAJOR MINOR". An object that is refused because of one
// program is loaded again without that one, until the rest is accepted.

#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_MODULES 16
#define FIRST_MODULE 2 // its ID as the kernel would count BTF; the kernel's own is 1

static const char *kernel; // the file that stands for the kernel's BTF; NULL: none does
static struct module {
	void *data;
	unsigned size;
} modules[MAX_MODULES];
static unsigned module_count;
static unsigned id_of[1024]; // by file descriptor: of BTF that libbpf got by its ID

// instead returns the file to open in place of one.
static const char *instead(const char *path)
{
	return kernel && path && !strcmp(path, "/sys/kernel/btf/vmlinux") ? kernel : path;
}

// The functions of libc by which versions of libbpf open that place.
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
FILE *fopen(const char *path, const char *mode) { return REAL(fopen)(instead(path), mode); }
FILE *fopen64(const char *path, const char *mode) { return REAL(fopen64)(instead(path), mode); }
int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return REAL(open)(instead(path), flags, mode);
}
int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return REAL(open64)(instead(path), flags, mode);
}
int access(const char *path, int mode) { return REAL(access)(instead(path), mode); }
int faccessat(int dir, const char *path, int mode, int flags) { return REAL(faccessat)(dir, instead(path), mode, flags); }

static int new_descriptor(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

static int next_id(union bpf_attr *attr)
{
	unsigned next = attr->start_id < FIRST_MODULE ? FIRST_MODULE : attr->start_id + 1;

	if (next >= FIRST_MODULE + module_count) {
		errno = ENOENT;
		return -1;
	}
	attr->next_id = next;
	return 0;
}

static int descriptor_of(unsigned id)
{
	int fd = new_descriptor();

	if (fd >= 0 && fd < 1024)
		id_of[fd] = id;
	return fd;
}

// tell fills in what libbpf asks of BTF behind a file descriptor.
static int tell(union bpf_attr *attr)
{
	struct bpf_btf_info *info = (void *)(unsigned long)attr->info.info;
	unsigned fd = attr->info.bpf_fd;
	struct module *m;

	if (fd >= 1024 || !id_of[fd]) {
		memset(info, 0, attr->info.info_len); // not BTF of a kernel
		return 0;
	}
	m = &modules[id_of[fd] - FIRST_MODULE];
	if (info->btf && info->btf_size >= m->size)
		memcpy((void *)(unsigned long)info->btf, m->data, m->size);
	info->btf_size = m->size;
	info->id = id_of[fd];
	info->kernel_btf = 1;
	if (info->name && info->name_len)
		snprintf((char *)(unsigned long)info->name, info->name_len, "module%u", info->id);
	return 0;
}

// syscall stands in for libc's. libbpf calls bpf(2) through it: whatever makes
// something gives a file descriptor, which libbpf closes in the end.
long syscall(long number, ...)
{
	union bpf_attr *attr;
	va_list args;
	int command;

	if (number != SYS_bpf) {
		errno = ENOSYS;
		return -1;
	}
	va_start(args, number);
	command = va_arg(args, int);
	attr = va_arg(args, union bpf_attr *);
	va_end(args);
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
		return descriptor_of(0);
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
		return 0;
	case BPF_BTF_GET_NEXT_ID:
		return next_id(attr);
	case BPF_BTF_GET_FD_BY_ID:
		return descriptor_of(attr->btf_id);
	case BPF_OBJ_GET_INFO_BY_FD:
		if (module_count)
			return tell(attr);
		break;
	}
	errno = EINVAL;
	return -1;
}

static char log_text[1 << 20];
static size_t log_length;

// keep_log keeps what libbpf warns of, without tabs and line ends.
static int keep_log(enum libbpf_print_level level, const char *format, va_list args)
{
	int n;

	if (getenv("ORACLE_DEBUG"))
		vfprintf(stderr, format, args);
	if (level != LIBBPF_WARN)
		return 0;
	n = vsnprintf(log_text + log_length, sizeof(log_text) - log_length, format, args);
	if (n < 0)
		return 0;
	log_length += n;
	if (log_length >= sizeof(log_text))
		log_length = sizeof(log_text) - 1;
	return 0;
}

static void clear_log(void)
{
	log_length = 0;
	log_text[0] = 0;
}

// print_log prints the end of the log.
static void print_log(int error)
{
	size_t i = log_length > 600 ? log_length - 600 : 0;

	printf("%d\t", error);
	for (; i < log_length; i++)
		putchar(log_text[i] == '\n' || log_text[i] == '\t' ? ' ' : log_text[i]);
	putchar('\n');
}

static void print_code(struct bpf_program *program)
{
	const unsigned char *byte = (const unsigned char *)bpf_program__insns(program);
	size_t i, size = bpf_program__insn_cnt(program) * sizeof(struct bpf_insn);

	printf("code\t%s\t", bpf_program__name(program));
	for (i = 0; i < size; i++)
		printf("%02x", byte[i]);
	putchar('\n');
}

static struct bpf_object *open_object(const char *path, const char *btf)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = kernel ? NULL : btf);

	clear_log();
	return bpf_object__open_file(path, &options);
}

// blamed returns the program that libbpf's log blames for a failure, NULL if it
// blames none. That is the last one: libbpf also warns of instructions that it
// poisons, and goes on.
static struct bpf_program *blamed(struct bpf_object *object)
{
	const char *at = NULL, *next = log_text;
	struct bpf_program *program;
	char name[256];

	while ((next = strstr(next, "prog '")))
		at = next++;
	if (!at || sscanf(at, "prog '%255[^']'", name) != 1)
		return NULL;
	bpf_object__for_each_program(program, object)
		if (!strcmp(bpf_program__name(program), name) && bpf_program__autoload(program))
			return program;
	return NULL;
}

static int index_of(struct bpf_object *object, struct bpf_program *wanted)
{
	struct bpf_program *program;
	int i = 0;

	bpf_object__for_each_program(program, object) {
		if (program == wanted)
			return i;
		i++;
	}
	return -1;
}

// load has libbpf load the object, again and again without the programs at fault.
static void load(const char *path, const char *btf)
{
	bool left_out[4096] = {};
	struct bpf_object *object;
	struct bpf_program *program;
	int i, error;

	for (;;) {
		object = open_object(path, btf);
		if (!object) {
			printf("failed\t");
			print_log(errno);
			return;
		}
		i = 0;
		bpf_object__for_each_program(program, object)
			bpf_program__set_autoload(program, !left_out[i++ % 4096]);
		error = bpf_object__load(object);
		if (!error) {
			bpf_object__for_each_program(program, object)
				if (bpf_program__autoload(program))
					print_code(program);
			bpf_object__close(object);
			return;
		}
		program = blamed(object);
		if (!program) {
			printf("failed\t");
			print_log(-error);
			bpf_object__close(object);
			return;
		}
		printf("error\t%s\t", bpf_program__name(program));
		print_log(-error);
		left_out[index_of(object, program) % 4096] = true;
		bpf_object__close(object);
	}
}

// read_module has a file's BTF found as a module's.
static int read_module(const char *path)
{
	struct module *m = &modules[module_count];
	struct stat info;
	FILE *file = fopen(path, "r");

	if (!file || module_count == MAX_MODULES || fstat(fileno(file), &info))
		return -1;
	m->size = info.st_size;
	m->data = malloc(m->size);
	if (!m->data || fread(m->data, 1, m->size, file) != m->size)
		return -1;
	fclose(file);
	module_count++;
	return 0;
}

int main(void)
{
	char *line = NULL, *btf, *module, *next;
	size_t size = 0;
	ssize_t n;

	libbpf_set_print(keep_log);
	printf("libbpf\t%u\t%u\n", libbpf_major_version(), libbpf_minor_version());
	while ((n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		btf = strchr(line, '\t');
		if (!btf) {
			fprintf(stderr, "a line without a tab: %s\n", line);
			return 2;
		}
		*btf++ = 0;
		module = strchr(btf, '\t');
		if (module)
			*module++ = 0;
		kernel = module ? btf : NULL;
		for (; module; module = next) {
			next = strchr(module, '\t');
			if (next)
				*next++ = 0;
			if (read_module(module)) {
				fprintf(stderr, "can't read %s\n", module);
				return 2;
			}
		}
		printf("case\t%s\t%s\n", line, btf);
		load(line, btf);
		while (module_count)
			free(modules[--module_count].data);
	}
	free(line);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
