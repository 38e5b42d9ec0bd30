using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>A file system of a few megabytes, mounted for one test. Needs root; without, the test is skipped.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly string _mountPoint;

    private SmallDisk(string mountPoint) => _mountPoint = mountPoint;

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
        await RunAsync("mount", "-o", "loop", image, mountPoint);
        return new SmallDisk(mountPoint);
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
