using Cairn.Offline;
using Xunit;

namespace Cairn.Tests.Offline;

/// <summary>What is said of snapshot files, whole and damaged.</summary>
public sealed class SnapshotStatusTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public async Task Keys_that_were_deleted_do_not_count()
    {
        Write(SampleSnapshot.WithChecksum(SampleSnapshot.Image()));
        var summary = await ReadAsync();
        Assert.Equal((4L, 1, "3.6.0"), (summary.Revision, summary.LiveKeys, summary.Version));
    }

    [Fact]
    public async Task A_file_without_a_checksum_is_read_too()
    {
        Write(SampleSnapshot.Image());
        Assert.Equal(4, (await ReadAsync()).Revision);
    }

    [Fact]
    public async Task Any_flipped_byte_is_noticed_by_the_checksum()
    {
        var whole = SampleSnapshot.WithChecksum(SampleSnapshot.Image());
        for (var at = 0; at < whole.Length; at += 97)
        {
            var damaged = whole.ToArray();
            damaged[at] ^= 0x40;
            Write(damaged);
            var refusal = await Assert.ThrowsAsync<OfflineException>(ReadAsync);
            Assert.Contains(_path, refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_file_that_is_cut_off_is_refused_with_its_name_and_the_place()
    {
        Write(SampleSnapshot.Image()[..5000]);
        var refusal = await Assert.ThrowsAsync<OfflineException>(ReadAsync);
        Assert.StartsWith($"{_path}: offset 5000: the file ends here", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("simple", "ff, 7, 20 kB")]
    [InlineData("json", """{"hash":255,"revision":7,"totalSize":20480}""")]
    [InlineData("fields", "\"Hash\" : 255\n\"Revision\" : 7\n\"Size\" : 20480")]
    [InlineData("table", "+------+----------+------------+\n| HASH | REVISION | TOTAL SIZE |\n+------+----------+------------+\n|   ff |        7 |      20 kB |\n+------+----------+------------+")]
    public void Results_are_written_as_etcdutl_writes_them(string form, string expected)
    {
        ResultColumn[] columns = [new("hash", "Hash", "hash", 255, "ff"), new("revision", "Revision", "revision", 7), new("total size", "Size", "totalSize", 20480, ResultTable.Size(20480))];
        Assert.Equal(expected, ResultTable.Format(columns, form));
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.0 kB")]
    [InlineData(9_949, "9.9 kB")]
    [InlineData(9_950, "10 kB")]
    [InlineData(2_147_483_648, "2.1 GB")]
    public void Sizes_are_rounded_as_etcdutl_rounds_them(long bytes, string expected) => Assert.Equal(expected, ResultTable.Size(bytes));

    private void Write(byte[] bytes) => File.WriteAllBytes(_path, bytes);

    private async Task<SnapshotSummary> ReadAsync()
    {
        using var snapshot = SnapshotFile.Open(_path);
        return await SnapshotStatusCommand.ReadAsync(snapshot, TestContext.Current.CancellationToken);
    }
}
