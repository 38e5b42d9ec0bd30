using System.Globalization;
using Cairn.Protocol.Peers;
using Cairn.Server.Membership;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Google.Protobuf;

namespace Cairn.Server.Healing;

/// <summary>Moves what a data directory holds to <c>quarantine/&lt;utc&gt;-&lt;reason&gt;/</c>, and leaves it empty. Nothing is deleted.</summary>
/// <remarks>
/// <para>
/// Entry by entry, never the directory itself, which may be a mount point; a log in a directory of its own to a quarantine of its own there. A manifest says first, durably, what is moved where; the store, with that manifest in
/// it, goes last. So after a crash at any step the directory either says that it is to be moved, or is empty: it never looks like a member that lost its log.
/// </para>
/// <para>
/// Order: manifest with the decision; log and all the rest; a note of whom the directory was, so that it joins and never founds; store. A start that finds the
/// decision goes on with it.
/// </para>
/// </remarks>
internal static class Quarantine
{
    private static readonly string Store = DataDirectory.Store[(DataDirectory.Member.Length + 1)..];
    private static readonly string Log = DataDirectory.Wal[(DataDirectory.Member.Length + 1)..];
    private static readonly string[] Staying =
    [
        DataDirectory.Lock[(DataDirectory.Member.Length + 1)..],
        DataDirectory.Returning[(DataDirectory.Member.Length + 1)..],
    ];

    /// <summary>Makes a name for a directory in quarantine that is not there yet.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="reason">A word for people: why.</param>
    /// <param name="now">Wall clock.</param>
    /// <returns>The name.</returns>
    public static string FreeName(IDisk disk, string reason, DateTimeOffset now)
    {
        var name = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture) + "-" + reason;
        var free = name;
        for (var i = 2; disk.DirectoryExists($"{DataDirectory.Quarantine}/{free}"); i++)
        {
            free = $"{name}-{i}";
        }

        return free;
    }

    /// <summary>Decides, durably, to move everything.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="manifests">The manifests, of which there is one.</param>
    /// <param name="memory">What the member remembers.</param>
    /// <param name="reason">A word for people: why.</param>
    /// <param name="now">Wall clock, for the name.</param>
    /// <returns>Completes when durable; <see cref="FinishAsync"/> does the rest.</returns>
    public static async Task DecideAsync(IDisk disk, ManifestStore manifests, MemberMemory memory, string reason, DateTimeOffset now)
    {
        memory.Quarantine = FreeName(disk, reason, now);
        await manifests.WriteAsync(manifests.Newest! with { MemberState = memory.Encode() }); // A directory without manifest has nothing to be moved.
    }

    /// <summary>Moves everything to where it was decided.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="memory">What the member remembers, the decision included.</param>
    /// <param name="memberId">The member that the directory was.</param>
    /// <returns>Completes when the data directory is empty, durably.</returns>
    public static async Task FinishAsync(IDisk disk, MemberMemory memory, ulong memberId)
    {
        var target = $"{DataDirectory.Quarantine}/{memory.Quarantine}";
        disk.CreateDirectory(target);
        await disk.SyncDirectoryAsync("");
        await disk.SyncDirectoryAsync(DataDirectory.Quarantine);
        await MoveLogApartAsync(disk, memory.Quarantine);
        foreach (var entry in disk.List(DataDirectory.Member).Where(entry => !Staying.Contains(entry)).OrderBy(entry => entry == Store))
        {
            if (entry == Store)
            {
                // All else must be gone for good before the decision to move it goes.
                await NoteAsync(disk, memory, memberId);
                await disk.SyncDirectoryAsync(DataDirectory.Member);
            }

            disk.Rename($"{DataDirectory.Member}/{entry}", $"{target}/{entry}");
            await disk.SyncDirectoryAsync(target);
        }

        await disk.SyncDirectoryAsync(DataDirectory.Member);
    }

    /// <summary>Reads the note that an emptied directory holds, and what a first manifest is to remember.</summary>
    /// <param name="disk">The disk.</param>
    /// <returns>Bytes for the manifest; empty if there is no note.</returns>
    public static byte[] ReadNote(IDisk disk)
    {
        if (!disk.FileExists(DataDirectory.Returning))
        {
            return [];
        }

        using var file = disk.Open(DataDirectory.Returning, OpenIntent.Read);
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        return bytes;
    }

    /// <summary>Forgets the note, once a manifest remembers it.</summary>
    /// <param name="disk">The disk.</param>
    public static void ForgetNote(IDisk disk)
    {
        if (disk.FileExists(DataDirectory.Returning))
        {
            disk.Delete(DataDirectory.Returning);
        }
    }

    /// <summary>Moves the log alone.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="name">The directory in quarantine.</param>
    /// <returns>Completes when there is no log any more, durably.</returns>
    public static async Task MoveLogAsync(IDisk disk, string name)
    {
        await MoveLogApartAsync(disk, name);
        if (!disk.List(DataDirectory.Member).Contains(Log))
        {
            return;
        }

        var target = $"{DataDirectory.Quarantine}/{name}";
        disk.CreateDirectory(target);
        await disk.SyncDirectoryAsync("");
        await disk.SyncDirectoryAsync(DataDirectory.Quarantine);
        disk.Rename(DataDirectory.Wal, $"{target}/{Log}");
        await disk.SyncDirectoryAsync(target);
        await disk.SyncDirectoryAsync(DataDirectory.Member);
    }

    /// <summary>A log that lies on a disk of its own has a quarantine of its own there: nothing can be renamed from disk to disk.</summary>
    private static async Task MoveLogApartAsync(IDisk disk, string name)
    {
        if (!disk.DirectoryExists(DataDirectory.Wal) || disk.List(DataDirectory.Member).Contains(Log))
        {
            return;
        }

        var aside = $"{DataDirectory.Wal}/{DataDirectory.Quarantine}";
        disk.CreateDirectory($"{aside}/{name}");
        await disk.SyncDirectoryAsync(aside);
        await disk.SyncDirectoryAsync(DataDirectory.Wal);
        foreach (var entry in disk.List(DataDirectory.Wal).Where(static entry => entry != DataDirectory.Quarantine))
        {
            disk.Rename($"{DataDirectory.Wal}/{entry}", $"{aside}/{name}/{entry}");
        }

        await disk.SyncDirectoryAsync($"{aside}/{name}");
        await disk.SyncDirectoryAsync(DataDirectory.Wal);
    }

    private static async Task NoteAsync(IDisk disk, MemberMemory memory, ulong memberId)
    {
        var note = new RememberedState { Replaces = memberId };
        note.LastMembers.AddRange(memory.LastMembers);
        var bytes = note.ToByteArray();
        ForgetNote(disk);
        using var file = await disk.PrepareAsync(DataDirectory.Returning, bytes.Length);
        await file.WriteAndSyncAsync(0, bytes);
    }
}
