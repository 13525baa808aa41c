#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#if !defined(BPF_NO_PRESERVE_ACCESS_INDEX) && !defined(__cplusplus) && __has_attribute(preserve_access_index)
#define __co_re __attribute__((preserve_access_index))
#else
#define __co_re
#endif
#if !__has_attribute(btf_type_tag)
#define btf_type_tag(x)
#endif

#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

enum color {
	RED = 0,
	GREEN___2 = 1,
};

enum light {
	RED___3 = 1,
	GREEN___3 = 2,
	RED___2 = 3,
};

enum anon_enum_SHARED___2 {
	SHARED = 7,
};

typedef int GREEN;
struct state {
	int a;
	int b;
} __co_re;

struct state___3 {
	int a;
} __co_re;

struct state___2 {
	short unsigned int taken;
} __co_re;

struct x {
	enum anon_enum_SHARED___2 e;
	struct state___3 s;
	struct state t;
} __co_re;

struct y {
	enum anon_enum_SHARED___2 e;
	struct state___3 s;
} __co_re;

#undef __co_re

#endif /* __VMLINUX_H__ */
