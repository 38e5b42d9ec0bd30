using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>A file system of a few megabytes, mounted for one test. Needs root; without, the test is skipped.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    // The system writes out what nobody syncs after so many seconds: later than any test ends.
    private const string Options = "loop,commit=600";

    private readonly string _mountPoint;

    private SmallDisk(string mountPoint) => _mountPoint = mountPoint;

    private string Image => $"{_mountPoint}.image";

    private string Cut => $"{_mountPoint}.cut";

    /// <summary>Makes and mounts it.</summary>
    /// <param name="mountPoint">Where; its image lies beside it.</param>
    /// <param name="megabytes">Its size.</param>
    /// <returns>The mounted file system.</returns>
    public static async Task<SmallDisk> MountAsync(string mountPoint, int megabytes)
    {
        Assert.SkipUnless(Environment.UserName == "root", "mounting a small disk needs root");
        Directory.CreateDirectory(mountPoint);
        var image = $"{mountPoint}.image";
        await using (var file = File.Create(image))
        {
            file.SetLength(megabytes * 1024L * 1024);
        }

        await RunAsync("mkfs.ext4", "-q", "-F", "-m", "0", image);
        await RunAsync("mount", "-o", Options, image, mountPoint);
        return new SmallDisk(mountPoint);
    }

    /// <summary>Keeps what the disk holds at this moment: what was written and not synced is not in it. Nobody may write meanwhile.</summary>
    /// <returns>When it is kept.</returns>
    public Task FreezeAsync() => RunAsync("cp", "--sparse=always", Image, Cut);

    /// <summary>Goes back to what was kept, as if the power had been cut then. Nobody may have a file open.</summary>
    /// <returns>When it is mounted.</returns>
    public async Task LosePowerAsync()
    {
        await RunAsync("umount", _mountPoint);
        File.Move(Cut, Image, overwrite: true);
        await RunAsync("mount", "-o", Options, Image, _mountPoint);
    }

    /// <summary>Fills what is left of a disk: room stays for what is written in place, and none for what has to grow.</summary>
    /// <param name="path">The file that takes it.</param>
    /// <returns>When the disk is full.</returns>
    public static async Task FillAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[64 * 1024];
        try
        {
            while (true)
            {
                await file.WriteAsync(block);
                file.Flush(flushToDisk: true);
            }
        }
        catch (IOException)
        {
            // Full, as wanted.
        }
    }

    /// <summary>Unmounts it.</summary>
    /// <returns>When it is unmounted.</returns>
    public async ValueTask DisposeAsync() => await RunAsync("umount", "-l", _mountPoint);

    private static async Task RunAsync(string program, params string[] arguments)
    {
        await using var run = ProgramRun.Start(program, arguments);
        var status = await run.EndAsync();
        Assert.SkipUnless(status == 0, $"{program} failed here: {run.Said}");
    }
}
