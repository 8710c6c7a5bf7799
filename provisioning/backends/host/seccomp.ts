/**
 * The system calls that a lease may use, in the form of the OCI runtime specification. What is not
 * listed does not exist for it: new calls of new kernels are refused until somebody lists them.
 */

/** One rule of a profile. */
interface SeccompRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ";
  }[];
}

/** `linux.seccomp` of a bundle. */
export interface SeccompProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

const EPERM = 1;
const ENOSYS = 38;

/** Namespaces that `clone` could make: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW_ANY = 0x7e02_0000;

/** Unix, IPv4, IPv6 and netlink; no raw packets, no vsock, no kernel crypto, no exotic protocols. */
const SOCKET_FAMILIES = [1, 2, 10, 16];

/** Linux, with 32-bit addresses and without randomisation, and the question which it is. */
const PERSONALITIES = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xffff_ffff];

const FILES =
  `access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat
  faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync
  fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd
  getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl
  lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat
  mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64
  pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2
  rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee
  truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev chroot`;

const MEMORY =
  `brk get_mempolicy madvise map_shadow_stack membarrier memfd_create mincore mlock mlock2
  mlockall mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
  pkey_mprotect process_mrelease remap_file_pages set_mempolicy set_mempolicy_home_node`;

const PROCESSES =
  `arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid
  getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit
  get_robust_list getrusage getsid get_thread_area gettid getuid ioprio_get ioprio_set kill pidfd_open
  pidfd_send_signal prctl prlimit64 rseq sched_getaffinity sched_getattr sched_getparam
  sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield set_robust_list
  set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer getitimer setpgid
  setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sysinfo tgkill times tkill
  uname vfork wait4 waitid alarm pause restart_syscall`;

const SIGNALS =
  `rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4`;

const TIME =
  `adjtimex clock_adjtime clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time
  timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
  timerfd_settime`;

const WAITING =
  `cachestat epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
  epoll_wait epoll_wait_old eventfd eventfd2 futex futex_requeue futex_wait futex_waitv futex_wake
  io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit pipe pipe2 poll ppoll pselect6
  select`;

const TALKING = `accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr
  mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg
  recvmsg semctl semget semop semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget
  shutdown socketpair`;

const REST = `getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp`;

/** The profile for this processor, without foreign instruction sets. */
export function seccompProfile(architecture: "x86_64" | "aarch64"): SeccompProfile {
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: [architecture === "x86_64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64"],
    syscalls: [
      {
        names: [FILES, MEMORY, PROCESSES, SIGNALS, TIME, WAITING, TALKING, REST]
          .flatMap((group) => group.split(/\s+/)),
        action: "SCMP_ACT_ALLOW",
      },
      ...SOCKET_FAMILIES.map((value) => whenEqual("socket", value)),
      ...PERSONALITIES.map((value) => whenEqual("personality", value)),
      {
        names: ["clone"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value: CLONE_NEW_ANY, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      },
      // Its flags lie in memory, out of sight: C libraries fall back to `clone` when it is not there.
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
    ],
  };
}

function whenEqual(name: string, value: number): SeccompRule {
  return {
    names: [name],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
  };
}
