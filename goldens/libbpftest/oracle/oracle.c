// What libbpf makes of BPF objects on kernels that are given as files of BTF.
//
// Reads lines of "OBJECT<tab>BTF" from stdin and has libbpf load each object as
// if that BTF were the running kernel's. No kernel is asked: the calls of bpf(2)
// that libbpf does are answered by syscall below, so that no privilege is
// needed, and the object's own instructions are the only thing that matters.
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
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// syscall stands in for libc's. libbpf calls bpf(2) through it: whatever makes
// something gives a file descriptor, which libbpf closes in the end.
long syscall(long number, ...)
{
	va_list args;
	int command;

	if (number != SYS_bpf) {
		errno = ENOSYS;
		return -1;
	}
	va_start(args, number);
	command = va_arg(args, int);
	va_end(args);
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
		return 0;
	case BPF_BTF_GET_NEXT_ID:
		errno = ENOENT; // no modules
		return -1;
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
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = btf);

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

int main(void)
{
	char *line = NULL, *btf;
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
		printf("case\t%s\t%s\n", line, btf);
		load(line, btf);
	}
	free(line);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
