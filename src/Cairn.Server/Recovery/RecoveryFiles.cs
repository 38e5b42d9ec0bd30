using Cairn.Protocol;
using Cairn.Protocol.Peers;
using Cairn.Storage;
using Google.Protobuf;

namespace Cairn.Server.Recovery;

/// <summary>What a member without a leader and a person on its machine tell each other: two files in the data directory, so that whoever may write there may decide.</summary>
internal static class RecoveryFiles
{
    /// <summary>Reads what the person decided.</summary>
    /// <param name="disk">The disk.</param>
    /// <returns>The decision; null if there is none, or none that can be read yet.</returns>
    public static RecoveryWish? ReadWish(IDisk disk)
    {
        if (!disk.FileExists(DataDirectory.RecoveryWish))
        {
            return null;
        }

        using var file = disk.Open(DataDirectory.RecoveryWish, OpenIntent.Read);
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        try
        {
            return RecoveryWish.Parser.ParseGuarded(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>Writes what a person decided, at another survivor.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="wish">The decision.</param>
    /// <returns>Completes when written.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public static Task WriteWishAsync(IDisk disk, RecoveryWish wish) => WriteAsync(disk, DataDirectory.RecoveryWish, wish);

    /// <summary>Forgets what a person decided.</summary>
    /// <param name="disk">The disk.</param>
    public static void DropWish(IDisk disk) => Delete(disk, DataDirectory.RecoveryWish);

    /// <summary>Writes what is known, as a whole.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="survey">What is known.</param>
    /// <returns>Completes when written.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public static Task WriteSurveyAsync(IDisk disk, RecoverySurvey survey) => WriteAsync(disk, DataDirectory.Survey, survey);

    /// <summary>Forgets both, since they say nothing about now.</summary>
    /// <param name="disk">The disk.</param>
    public static void Clear(IDisk disk)
    {
        Delete(disk, DataDirectory.RecoveryWish);
        Delete(disk, DataDirectory.Survey);
    }

    private static async Task WriteAsync(IDisk disk, string path, IMessage message)
    {
        var unfinished = path + ".tmp";
        var bytes = message.ToByteArray();
        Delete(disk, unfinished);
        using (var file = await disk.PrepareAsync(unfinished, bytes.Length))
        {
            await file.WriteAndSyncAsync(0, bytes);
        }

        disk.Rename(unfinished, path);
    }

    private static void Delete(IDisk disk, string path)
    {
        if (disk.FileExists(path))
        {
            disk.Delete(path);
        }
    }
}
