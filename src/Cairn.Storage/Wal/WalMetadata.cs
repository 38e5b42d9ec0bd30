namespace Cairn.Storage.Wal;

/// <summary>Whose log it is; the same in every segment.</summary>
/// <param name="MemberId">The member that writes the log.</param>
/// <param name="ClusterId">The cluster it belongs to.</param>
/// <remarks>Source: etcdserverpb.Metadata.</remarks>
public sealed record WalMetadata(ulong MemberId, ulong ClusterId);
