namespace Cairn.Server.Proposals;

/// <summary>Makes ids of proposals: unique in the cluster, and over restarts of a member.</summary>
/// <remarks>
/// <para>Two bytes of the member id, five bytes of milliseconds at start, one byte of a counter that overflows upward: unique unless a member starts
/// twice within a millisecond or makes more than 256 ids a millisecond for its whole life. Any thread.</para>
/// <para>Source: etcd pkg/idutil/id.go.</para>
/// </remarks>
internal sealed class RequestIds
{
    private const ulong SuffixMask = (1UL << 48) - 1;

    private readonly ulong _prefix;
    private long _suffix;

    /// <summary>Starts a sequence.</summary>
    /// <param name="memberId">The member that proposes.</param>
    /// <param name="startedAt">When it started; only the milliseconds count.</param>
    public RequestIds(ulong memberId, DateTimeOffset startedAt)
    {
        _prefix = memberId << 48;
        _suffix = (long)(((ulong)startedAt.ToUnixTimeMilliseconds() & ((1UL << 40) - 1)) << 8);
    }

    /// <summary>Makes the next id.</summary>
    /// <returns>Never 0, never the same twice.</returns>
    public ulong Next()
    {
        var id = _prefix | ((ulong)Interlocked.Increment(ref _suffix) & SuffixMask);
        return id == 0 ? Next() : id;
    }
}
