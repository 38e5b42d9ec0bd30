using System.Runtime.InteropServices;

namespace Cairn.Storage;

/// <summary>Whether this process may read and write a directory and all that is in it, as far as modes and owners say.</summary>
/// <remarks>
/// A directory that was restored by root, or came with another user's volume, looks like a broken one to whoever runs into it file by file. What belongs to this process is mended;
/// what does not is named, before anything is opened.
/// </remarks>
/// <param name="Fault">What is not allowed and how to allow it, for people; null if all is.</param>
/// <param name="Mended">Paths whose mode was changed.</param>
public sealed record DirectoryAccess(string? Fault, IReadOnlyList<string> Mended)
{
    private const int ReadAndWrite = 6;
    private const int Search = 1;
    private const int ForEffectiveUser = 0x200;
    private const ushort KindMask = 0xF000;
    private const ushort DirectoryKind = 0x4000;

    /// <summary>Looks, and mends what this process owns.</summary>
    /// <param name="directory">The directory; one that is not there is no fault.</param>
    /// <returns>What was found.</returns>
    public static DirectoryAccess Of(string directory)
    {
        var mended = new List<string>();
        return new DirectoryAccess(FaultOf(directory, directory, mended), mended);
    }

    private static string? FaultOf(string root, string path, List<string> mended)
    {
        if (KindOf(path, followsLink: path == root) is not { } status)
        {
            return null;
        }

        var isDirectory = (status & KindMask) == DirectoryKind;
        var needed = isDirectory ? ReadAndWrite | Search : ReadAndWrite;
        if (IsForbidden(path, needed))
        {
            if (LinuxCalls.ChangeMode(path, (uint)(status & 0xFFF) | (uint)(needed << 6)) != 0 || IsForbidden(path, needed))
            {
                return $"{path} may not be read and written by user {LinuxCalls.EffectiveUser()}, who runs this process: `chown -R {LinuxCalls.EffectiveUser()}:{LinuxCalls.EffectiveGroup()} {root}` and `chmod -R u+rwX {root}` allow it";
            }

            mended.Add(path);
        }

        // A link leads out of the directory, perhaps round in a circle: what is behind it is not looked through.
        return isDirectory ? Directory.EnumerateFileSystemEntries(path).Select(entry => FaultOf(root, entry, mended)).FirstOrDefault(static fault => fault is not null) : null;
    }

    /// <summary>Any other error than a forbidden access is for those who open the file.</summary>
    private static bool IsForbidden(string path, int access) =>
        LinuxCalls.Access(LinuxCalls.CurrentDirectory, path, access, ForEffectiveUser) != 0 && Marshal.GetLastPInvokeError() == Errno.AccessDenied;

    private static unsafe ushort? KindOf(string path, bool followsLink)
    {
        var status = default(LinuxCalls.FileStatus);
        const int DoNotFollow = 0x100;
        return LinuxCalls.Stat(LinuxCalls.CurrentDirectory, path, followsLink ? 0 : DoNotFollow, LinuxCalls.StatModeAndSize, &status) == 0 ? status.Mode : null;
    }
}
