namespace Cairn.Raft.Roles;

/// <summary>Why a member campaigns.</summary>
internal enum CampaignKind
{
    /// <summary>To find out whether it would win.</summary>
    PreElection,

    /// <summary>To win.</summary>
    Election,

    /// <summary>To succeed a leader that asked for it: peers vote although they hear from that leader.</summary>
    Transfer,
}

/// <summary>What a vote request says about its campaign.</summary>
internal static class CampaignContext
{
    private static readonly byte[] TransferContext = "CampaignTransfer"u8.ToArray();

    public static ReadOnlyMemory<byte> Of(CampaignKind kind) => kind == CampaignKind.Transfer ? TransferContext : default(ReadOnlyMemory<byte>);

    public static bool IsTransfer(ReadOnlyMemory<byte> context) => context.Span.SequenceEqual(TransferContext);
}
