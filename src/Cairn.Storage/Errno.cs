using System.Globalization;

namespace Cairn.Storage;

/// <summary>Error numbers of Linux that the store tells apart or names in a message.</summary>
/// <remarks>Source: Linux, include/uapi/asm-generic/errno-base.h and errno.h; the same on x86-64 and arm64.</remarks>
public static class Errno
{
    /// <summary>ENOENT: no such file or directory.</summary>
    public const int NotFound = 2;

    /// <summary>EINTR: a signal came first; the only answer that means "ask again".</summary>
    public const int Interrupted = 4;

    /// <summary>EIO: the device failed.</summary>
    public const int InputOutput = 5;

    /// <summary>EAGAIN: somebody else holds the lock.</summary>
    public const int Again = 11;

    /// <summary>EACCES: permission denied.</summary>
    public const int AccessDenied = 13;

    /// <summary>EEXIST: the file is there already.</summary>
    public const int Exists = 17;

    /// <summary>ENOTDIR: a part of the path is not a directory.</summary>
    public const int NotDirectory = 20;

    /// <summary>ENOSPC: no space left on the device.</summary>
    public const int NoSpace = 28;

    /// <summary>EROFS: the file system was remounted read-only.</summary>
    public const int ReadOnly = 30;

    /// <summary>EOPNOTSUPP: this file system cannot do that.</summary>
    public const int NotSupported = 95;

    /// <summary>EDQUOT: the quota of this user is used up.</summary>
    public const int QuotaExceeded = 122;

    /// <summary>Names an error number as the manual does.</summary>
    /// <param name="errno">Any number.</param>
    /// <returns>"ENOSPC (no space left on device)"; "errno 99" for one that has no name here.</returns>
    public static string NameOf(int errno) => errno switch
    {
        1 => "EPERM (operation not permitted)",
        NotFound => "ENOENT (no such file or directory)",
        InputOutput => "EIO (input/output error)",
        6 => "ENXIO (no such device)",
        9 => "EBADF (bad file descriptor)",
        Again => "EAGAIN (held by another process)",
        12 => "ENOMEM (out of memory)",
        AccessDenied => "EACCES (permission denied)",
        16 => "EBUSY (device or resource busy)",
        Exists => "EEXIST (file exists)",
        18 => "EXDEV (another file system)",
        NotDirectory => "ENOTDIR (not a directory)",
        21 => "EISDIR (is a directory)",
        22 => "EINVAL (invalid argument)",
        23 => "ENFILE (too many open files in the system)",
        24 => "EMFILE (too many open files)",
        27 => "EFBIG (file too large)",
        NoSpace => "ENOSPC (no space left on device)",
        ReadOnly => "EROFS (read-only file system)",
        36 => "ENAMETOOLONG (file name too long)",
        39 => "ENOTEMPTY (directory not empty)",
        NotSupported => "EOPNOTSUPP (operation not supported)",
        116 => "ESTALE (stale file handle)",
        QuotaExceeded => "EDQUOT (disk quota exceeded)",
        _ => string.Create(CultureInfo.InvariantCulture, $"errno {errno}"),
    };
}
