using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Checkpoints;

/// <summary>Checkpoint files: what goes in comes out, and nothing else ever does.</summary>
public sealed class CheckpointTests
{
    private readonly SimulatedDisk _disk = new(1);
    private readonly Prng _prng = new(1);

    public CheckpointTests() => _disk.Put("store/LOCK", []);

    [Fact]
    public async Task Chunks_of_all_sizes_come_back_in_order()
    {
        var chunks = new[] { 1, 7, 8, 100_000, (1 << 20) - 24, 1 << 20, (1 << 20) + 1, 3_000_000, 1 }.Select(Chunk).ToList();
        var file = await WriteAsync(chunks);
        Assert.Equal(chunks, ReadAll(file));
    }

    [Fact]
    public async Task A_checkpoint_may_be_empty()
    {
        var file = await WriteAsync([]);
        Assert.Empty(ReadAll(file));
    }

    [Fact]
    public async Task A_finished_one_survives_a_power_cut()
    {
        var chunks = new List<byte[]> { Chunk(5000), Chunk(10) };
        var file = await WriteAsync(chunks);
        _disk.CutPower(CrashMode.Lose);
        Assert.Equal(chunks, ReadAll(file));
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_is_named_and_never_read()
    {
        var chunks = Enumerable.Range(1, 12).Select(i => Chunk(i * 3)).ToList();
        var file = await WriteAsync(chunks);
        for (var bit = 0L; bit < file.Length * 8; bit++)
        {
            _disk.FlipBit($"store/{file.Name}", bit);
            AssertDamaged(file, chunks, bit / 8);
            _disk.FlipBit($"store/{file.Name}", bit);
        }
    }

    [Fact]
    public async Task A_shortened_or_lengthened_file_is_recognised()
    {
        var chunks = Enumerable.Range(1, 5).Select(i => Chunk(i * 3)).ToList();
        var file = await WriteAsync(chunks);
        var bytes = _disk.ReadAll($"store/{file.Name}");
        for (var length = 0; length < bytes.Length; length++)
        {
            _disk.Truncate($"store/{file.Name}", length);
            AssertDamaged(file, chunks, length);
            AssertDamaged(file with { Length = length }, chunks, length);
            _disk.Damage($"store/{file.Name}", 0, bytes);
        }

        _disk.Damage($"store/{file.Name}", bytes.Length, [0]);
        AssertDamaged(file, chunks, bytes.Length);
        AssertDamaged(file with { Length = bytes.Length + 1 }, chunks, bytes.Length);
    }

    [Fact]
    public async Task Chunks_that_changed_places_are_recognised()
    {
        var chunks = new List<byte[]> { Chunk(40), Chunk(40), Chunk(40) };
        var file = await WriteAsync(chunks);
        var bytes = _disk.ReadAll($"store/{file.Name}");
        var first = CheckpointFormat.HeaderBytes;
        var second = first + CheckpointFormat.ChunkHeaderBytes + 40;
        _disk.Damage($"store/{file.Name}", first, bytes.AsSpan(second, second - first));
        _disk.Damage($"store/{file.Name}", second, bytes.AsSpan(first, second - first));
        AssertDamaged(file, [], second + 40);
    }

    [Fact]
    public async Task An_unfinished_one_does_not_open()
    {
        using var writer = CheckpointWriter.Begin(_disk, "store", 3);
        await writer.WriteAsync(Chunk(3 << 20));
        var length = _disk.ReadAll("store/0000000000000003.checkpoint").Length;
        Assert.True(length > 0);
        AssertDamaged(new CheckpointFile("0000000000000003.checkpoint", length), [], length);
    }

    private async Task<CheckpointFile> WriteAsync(List<byte[]> chunks)
    {
        using var writer = CheckpointWriter.Begin(_disk, "store", 1);
        foreach (var chunk in chunks)
        {
            await writer.WriteAsync(chunk);
        }

        return await writer.FinishAsync();
    }

    private List<byte[]> ReadAll(CheckpointFile file)
    {
        using var reader = CheckpointReader.Open(_disk, "store", file);
        var chunks = new List<byte[]>();
        while (reader.TryReadNext(out var chunk))
        {
            chunks.Add(chunk.ToArray());
        }

        return chunks;
    }

    // Chunks may come out before the damage, but only what was written.
    private void AssertDamaged(CheckpointFile file, List<byte[]> chunks, long at)
    {
        var read = 0;
        var damage = Assert.Throws<CorruptionException>(() =>
        {
            using var reader = CheckpointReader.Open(_disk, "store", file);
            while (reader.TryReadNext(out var chunk))
            {
                Assert.Equal(chunks[read++], chunk.ToArray());
            }
        });
        Assert.Equal($"store/{file.Name}", damage.Path);
        Assert.InRange(damage.Offset, 0, at);
    }

    private byte[] Chunk(int length)
    {
        var chunk = new byte[length];
        _prng.Fill(chunk);
        return chunk;
    }
}
