/* Sends one record of records.c through a ring buffer. */
#define NO_VARIABLES /* kernels refuse the BTF of packed records with a float */
#include "records.c"

struct {
	int (*type)[27]; /* BPF_MAP_TYPE_RINGBUF */
	int (*max_entries)[65536];
} ring __attribute__((section(".maps"), used));

static long (*const ringbuf_output)(void *map, const void *data, __u64 size, __u64 flags) = (void *)130;

__attribute__((section("socket"), used)) int send(void *ctx)
{
	struct event e;

	__builtin_memset(&e, 0, sizeof(e));
	e.timestamp_ns = 0x1122334455667788ULL;
	e.pid = 4711;
	e.is_ipv6 = 1;
	e.tiny = TINY_B;
	e.comm[0] = 'b';
	e.comm[1] = 'p';
	e.comm[2] = 'f';
	e.saddr.v6[15] = 16;
	e.verdict_known = 1;
	e.retries = 5;
	e.verdict = VERDICT_TCP_RESET;
	e.delta = -3;
	return ringbuf_output(&ring, &e, sizeof(e), 0);
}

char _license[] __attribute__((section("license"), used)) = "GPL";
