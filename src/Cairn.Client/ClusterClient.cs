using Cairn.Client.Calls;
using Cairn.Protocol;

namespace Cairn.Client;

/// <summary>The members of the cluster. Any thread. All methods throw <see cref="ClientException"/> when the call fails.</summary>
public sealed class ClusterClient
{
    private readonly Caller _caller;

    internal ClusterClient(Caller caller) => _caller = caller;

    /// <summary>Lists the members.</summary>
    /// <param name="linearizable">Whether the list must be the newest; otherwise it is what one member knows, which needs no quorum.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<MemberListResponse> ListAsync(bool linearizable = true, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.MemberList, new MemberListRequest { Linearizable = linearizable }, Repeat.Always, cancelled);

    /// <summary>Adds a member, which then may be started.</summary>
    /// <param name="peerUrls">Where its peers reach it.</param>
    /// <param name="learner">Whether it only learns until it is promoted.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<MemberAddResponse> AddAsync(IEnumerable<string> peerUrls, bool learner = false, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.MemberAdd, new MemberAddRequest { PeerURLs = { peerUrls }, IsLearner = learner }, Repeat.IfNeverSent, cancelled);

    /// <summary>Removes a member; its id never comes back.</summary>
    /// <param name="id">The member.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<MemberRemoveResponse> RemoveAsync(ulong id, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.MemberRemove, new MemberRemoveRequest { ID = id }, Repeat.IfNeverSent, cancelled);

    /// <summary>Changes where a member is reached by its peers.</summary>
    /// <param name="id">The member.</param>
    /// <param name="peerUrls">Where its peers reach it.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<MemberUpdateResponse> UpdateAsync(ulong id, IEnumerable<string> peerUrls, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.MemberUpdate, new MemberUpdateRequest { ID = id, PeerURLs = { peerUrls } }, Repeat.IfNeverSent, cancelled);

    /// <summary>Makes a learner a voter.</summary>
    /// <param name="id">The member.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<MemberPromoteResponse> PromoteAsync(ulong id, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.MemberPromote, new MemberPromoteRequest { ID = id }, Repeat.IfNeverSent, cancelled);
}
