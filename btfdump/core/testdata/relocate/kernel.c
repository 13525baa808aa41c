// Programs that read what programs read of real kernels, with names that some
// kernels don't have.

#define RECORD __attribute__((preserve_access_index))
#define PROGRAM(name) __attribute__((section("socket"), used)) long name(void *ctx)
#define READ(name, T, member) PROGRAM(name) { T *p = ctx; return (long)p->member; }
#define INFO(name, T, member, kind) PROGRAM(name) { T *p = ctx; return __builtin_preserve_field_info(p->member, kind); }
#define PLACE(name, T, member) INFO(name##_offset, T, member, 0) INFO(name##_size, T, member, 1) INFO(name##_exists, T, member, 2)
#define BITS(name, T, member) \
	PLACE(name, T, member) INFO(name##_signed, T, member, 3) INFO(name##_left, T, member, 4) INFO(name##_right, T, member, 5)
#define TYPE(name, T) \
	PROGRAM(name##_target) { return __builtin_btf_type_id(*(T *)0, 1); } \
	PROGRAM(name##_there) { return __builtin_preserve_type_info(*(T *)0, 0); } \
	PROGRAM(name##_sizeof) { return __builtin_preserve_type_info(*(T *)0, 1); } \
	MATCHES(name, T)
#if __clang_major__ >= 15
#define MATCHES(name, T) PROGRAM(name##_matches) { return __builtin_preserve_type_info(*(T *)0, 2); }
#else
#define MATCHES(name, T)
#endif
#define ENUMERATOR(name, E, value) \
	PROGRAM(name##_there) { return __builtin_preserve_enum_value(*(E *)value, 0); } \
	PROGRAM(name##_value) { return __builtin_preserve_enum_value(*(E *)value, 1); }

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;
typedef int pid_t;

struct qstr { union { struct { u32 hash, len; }; u64 hash_len; }; const unsigned char *name; } RECORD;
struct inode;
struct dentry { struct qstr d_name; struct inode *d_inode; struct dentry *d_parent; } RECORD;
struct path { struct dentry *dentry; } RECORD;
struct file { u32 f_flags; struct path f_path; struct inode *f_inode; s64 f_pos; } RECORD;
struct mm_struct { struct file *exe_file; unsigned long arg_start, start_code; void *pgd; } RECORD;
struct list_head { struct list_head *next, *prev; } RECORD;
struct upid { int nr; } RECORD;
struct pid { u32 level; struct upid numbers[1]; } RECORD;
struct nsproxy { void *uts_ns; } RECORD;
struct cred { u32 uid; struct { u32 val; } euid; } RECORD;
struct thread_info { unsigned long flags; u32 cpu; } RECORD;
struct task_struct {
	struct thread_info thread_info;
	u32 __state;
	u32 cpu;
	pid_t pid, tgid;
	struct mm_struct *mm, *active_mm;
	char comm[16];
	struct task_struct *real_parent, *group_leader;
	struct pid *thread_pid;
	struct nsproxy *nsproxy;
	const struct cred *cred;
	struct list_head tasks;
	u64 start_time, start_boottime;
	u32 in_execve : 1;
	u32 sched_reset_on_fork : 1;
	u32 no_such_bit : 2;
	int no_such_member;
} RECORD;
struct task_struct___old { long state; u64 real_start_time; } RECORD;
struct timespec64 { s64 tv_sec; long tv_nsec; } RECORD;
struct inode { u16 i_mode; u32 i_nlink; unsigned long i_ino; struct timespec64 i_ctime; s64 i_size; struct { u32 val; } i_uid; void *i_sb; } RECORD;
struct inode___newer { struct timespec64 __i_ctime; s64 i_ctime_sec; u32 i_ctime_nsec; } RECORD;
struct net { struct { u32 inum; } ns; } RECORD;
struct sock_common {
	union { struct { u32 skc_daddr, skc_rcv_saddr; }; u64 skc_addrpair; };
	union { struct { u16 skc_dport, skc_num; }; u32 skc_portpair; };
	u16 skc_family;
	volatile u8 skc_state;
	u8 skc_reuse : 4;
	u8 skc_ipv6only : 1;
	struct { struct net *net; } skc_net;
	struct { union { u8 u6_addr8[16]; u32 u6_addr32[4]; } in6_u; } skc_v6_daddr;
} RECORD;
struct sock { struct sock_common __sk_common; u16 sk_type, sk_protocol; int sk_sndbuf; u32 sk_mark; } RECORD;
struct sock___old { u32 sk_protocol : 8; u32 sk_type : 16; u8 sk_userlocks : 4; } RECORD;
struct inet_sock { struct sock sk; u16 inet_sport; u32 inet_saddr; } RECORD;
struct tcp_sock { u32 snd_cwnd, srtt_us, rcv_nxt; u8 nonagle : 4; u8 repair : 1; u8 is_sack_reneg : 1; u64 bytes_acked; } RECORD;
struct sk_buff {
	u32 len, data_len;
	u16 mac_len, queue_mapping, protocol, transport_header, network_header;
	u8 cloned : 1;
	u8 pkt_type : 3;
	u8 ip_summed : 2;
	u8 encapsulation : 1;
	u32 mark, hash;
	unsigned char *head, *data;
	struct sock *sk;
	u32 tail;
	char cb[48];
	u32 no_such_bits : 5;
} RECORD;
struct iphdr { u8 ihl : 4; u8 version : 4; u8 ttl, protocol; u32 saddr; } RECORD;
struct tcphdr { u16 source, dest; u16 doff : 4; u16 fin : 1; u16 syn : 1; u16 ack : 1; } RECORD;
struct net_device { char name[16]; int ifindex; u32 mtu; } RECORD;
struct gendisk { int major, first_minor; char disk_name[32]; } RECORD;
struct block_device { struct gendisk *bd_disk; u8 bd_partno; } RECORD;
struct bio { struct block_device *bi_bdev; u32 bi_opf; } RECORD;
struct request { struct request_queue *q; u32 cmd_flags; struct gendisk *rq_disk; } RECORD;
struct request_queue { struct gendisk *disk; } RECORD;
struct trace_event_raw_sched_switch { char prev_comm[16]; pid_t prev_pid; int prev_prio; long prev_state; } RECORD;
struct trace_event_raw_sys_enter { long id; unsigned long args[6]; } RECORD;
struct bpf_map { u32 id, max_entries; char name[16]; } RECORD;
struct bpf_prog { u16 pages; u16 jited : 1; u16 gpl_compatible : 1; u32 len; struct { int x; } insnsi[0]; } RECORD;
struct page { unsigned long flags; union { struct { void *mapping; unsigned long index; }; }; } RECORD;
struct file_operations { void *owner; long (*read)(struct file *, char *, unsigned long, s64 *); } RECORD;
struct seq_file { char *buf; unsigned long size; } RECORD;
struct irte { u64 low; u64 high; } RECORD;
struct io_tlb_mem { unsigned long nslabs; } RECORD;
struct no_such_record { int x; } RECORD;

enum bpf_map_type { BPF_MAP_TYPE_UNSPEC, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_RINGBUF = 27, BPF_MAP_TYPE_USER_RINGBUF = 31, BPF_MAP_TYPE_ARENA = 33, BPF_MAP_TYPE_NEVER = 99 };
enum bpf_func_id { BPF_FUNC_unspec, BPF_FUNC_get_current_task_btf = 158, BPF_FUNC_cgrp_storage_get = 210, BPF_FUNC_never = 999 };
enum zone_type { ZONE_DMA, ZONE_NORMAL, ZONE_MOVABLE, __MAX_NR_ZONES };
enum tcp_state_anonymous { TCP_NEVER };
enum sk_pacing { SK_PACING_NONE, SK_PACING_FQ = 2 };
enum { ANONYMOUS };
typedef u32 (*bpf_func_t)(const void *, const void *);
typedef int (*filldir_t)(void *, const char *, int, s64, u64, u32);
typedef u64 sector_t;
typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;

READ(state, struct task_struct, __state)
READ(old_state, struct task_struct___old, state)
READ(cpu, struct task_struct, cpu)
READ(cpu_of_info, struct task_struct, thread_info.cpu)
READ(pid, struct task_struct, pid)
READ(tgid, struct task_struct, tgid)
READ(comm, struct task_struct, comm[3])
READ(parent, struct task_struct, real_parent->tgid)
READ(exe, struct task_struct, mm->exe_file->f_path.dentry->d_name.len)
READ(exe_name, struct task_struct, mm->exe_file->f_inode->i_ino)
READ(number, struct task_struct, thread_pid->numbers[0].nr)
READ(number_7, struct task_struct, thread_pid->numbers[7].nr)
READ(uid, struct task_struct, cred->uid)
READ(euid, struct task_struct, cred->euid.val)
READ(start, struct task_struct, start_boottime)
READ(old_start, struct task_struct___old, real_start_time)
READ(missing, struct task_struct, no_such_member)
PLACE(task_state, struct task_struct, __state)
PLACE(task_old_state, struct task_struct___old, state)
PLACE(task_comm, struct task_struct, comm)
PLACE(task_missing, struct task_struct, no_such_member)
BITS(in_execve, struct task_struct, in_execve)
BITS(reset_on_fork, struct task_struct, sched_reset_on_fork)
BITS(no_such_bit, struct task_struct, no_such_bit)
READ(mode, struct inode, i_mode)
READ(ctime, struct inode, i_ctime.tv_sec)
READ(newer_ctime, struct inode___newer, __i_ctime.tv_nsec)
READ(ctime_sec, struct inode___newer, i_ctime_sec)
PLACE(has_ctime, struct inode, i_ctime)
PLACE(has_newer_ctime, struct inode___newer, __i_ctime)
PLACE(has_ctime_sec, struct inode___newer, i_ctime_sec)
READ(inode_uid, struct inode, i_uid.val)
READ(size, struct inode, i_size)
READ(family, struct sock, __sk_common.skc_family)
READ(sock_state, struct sock, __sk_common.skc_state)
READ(daddr, struct sock, __sk_common.skc_daddr)
READ(dport, struct sock, __sk_common.skc_dport)
READ(v6, struct sock, __sk_common.skc_v6_daddr.in6_u.u6_addr32[3])
READ(netns, struct sock, __sk_common.skc_net.net->ns.inum)
READ(sock_protocol, struct sock, sk_protocol)
BITS(sk_protocol, struct sock, sk_protocol)
BITS(old_protocol, struct sock___old, sk_protocol)
BITS(old_type, struct sock___old, sk_type)
BITS(userlocks, struct sock___old, sk_userlocks)
BITS(reuse, struct sock_common, skc_reuse)
BITS(ipv6only, struct sock_common, skc_ipv6only)
READ(sport, struct inet_sock, inet_sport)
READ(saddr, struct inet_sock, inet_saddr)
READ(of_inet, struct inet_sock, sk.__sk_common.skc_num)
READ(cwnd, struct tcp_sock, snd_cwnd)
READ(srtt, struct tcp_sock, srtt_us)
READ(acked, struct tcp_sock, bytes_acked)
BITS(nonagle, struct tcp_sock, nonagle)
BITS(repair, struct tcp_sock, repair)
BITS(reneg, struct tcp_sock, is_sack_reneg)
READ(skb_len, struct sk_buff, len)
READ(skb_data, struct sk_buff, data)
READ(skb_protocol, struct sk_buff, protocol)
READ(skb_transport, struct sk_buff, transport_header)
READ(skb_tail, struct sk_buff, tail)
READ(skb_cb, struct sk_buff, cb[40])
PLACE(skb_cb, struct sk_buff, cb)
BITS(cloned, struct sk_buff, cloned)
BITS(pkt_type, struct sk_buff, pkt_type)
BITS(ip_summed, struct sk_buff, ip_summed)
BITS(encapsulation, struct sk_buff, encapsulation)
BITS(no_such_bits, struct sk_buff, no_such_bits)
BITS(ihl, struct iphdr, ihl)
BITS(version, struct iphdr, version)
BITS(doff, struct tcphdr, doff)
BITS(syn, struct tcphdr, syn)
READ(ifname, struct net_device, name[1])
READ(ifindex, struct net_device, ifindex)
READ(disk, struct request, rq_disk->major)
READ(queue_disk, struct request, q->disk->first_minor)
READ(bio_disk, struct bio, bi_bdev->bd_disk->disk_name[2])
READ(partno, struct bio, bi_bdev->bd_partno)
READ(prev_state, struct trace_event_raw_sched_switch, prev_state)
READ(prev_prio, struct trace_event_raw_sched_switch, prev_prio)
READ(syscall, struct trace_event_raw_sys_enter, id)
READ(argument, struct trace_event_raw_sys_enter, args[5])
READ(map_name, struct bpf_map, name[15])
READ(map_id, struct bpf_map, id)
BITS(jited, struct bpf_prog, jited)
PLACE(insnsi, struct bpf_prog, insnsi)
READ(page_index, struct page, index)
READ(page_flags, struct page, flags)
READ(fops, struct file_operations, read)
READ(irte_low, struct irte, low)
READ(nslabs, struct io_tlb_mem, nslabs)
READ(nothing, struct no_such_record, x)

TYPE(type_task, struct task_struct)
TYPE(type_path, struct path)
TYPE(type_qstr, struct qstr)
TYPE(type_upid, struct upid)
TYPE(type_list_head, struct list_head)
TYPE(type_nothing, struct no_such_record)
TYPE(type_map_type, enum bpf_map_type)
TYPE(type_pid, pid_t)
TYPE(type_sector, sector_t)
TYPE(type_filldir, filldir_t)
TYPE(type_func, bpf_func_t)
TYPE(type_atomic, atomic_t)
TYPE(type_atomic64, atomic64_t)
TYPE(type_irte, struct irte)
TYPE(type_timespec, struct timespec64)
ENUMERATOR(ringbuf, enum bpf_map_type, BPF_MAP_TYPE_RINGBUF)
ENUMERATOR(user_ringbuf, enum bpf_map_type, BPF_MAP_TYPE_USER_RINGBUF)
ENUMERATOR(arena, enum bpf_map_type, BPF_MAP_TYPE_ARENA)
ENUMERATOR(never, enum bpf_map_type, BPF_MAP_TYPE_NEVER)
ENUMERATOR(current_task, enum bpf_func_id, BPF_FUNC_get_current_task_btf)
ENUMERATOR(cgrp_storage, enum bpf_func_id, BPF_FUNC_cgrp_storage_get)
ENUMERATOR(never_func, enum bpf_func_id, BPF_FUNC_never)
ENUMERATOR(zone, enum zone_type, ZONE_NORMAL)
ENUMERATOR(zones, enum zone_type, __MAX_NR_ZONES)
ENUMERATOR(pacing, enum sk_pacing, SK_PACING_FQ)

char license_text[] __attribute__((section("license"), used)) = "GPL";
