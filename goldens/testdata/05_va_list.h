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

struct __va_list_tag {
	unsigned int gp_offset;
	unsigned int fp_offset;
	void *overflow_arg_area;
	void *reg_save_area;
} __co_re;

typedef struct __va_list_tag __builtin_va_list___2[1];
typedef __builtin_va_list___2 __gnuc_va_list___2;
struct va_format {
	const char *fmt;
	__builtin_va_list___2 *va;
} __co_re;

typedef __gnuc_va_list___2 va_list___2;
struct warn_args {
	const char *fmt;
	va_list___2 args;
} __co_re;

#undef __co_re

#endif /* __VMLINUX_H__ */
