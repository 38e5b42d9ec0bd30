using Cairn.State.Members;
using Cairn.State.Mvcc;

namespace Cairn.Server.Healing;

/// <summary>What another member said when it was asked for the hash of its key space.</summary>
/// <param name="Member">Who was asked.</param>
/// <param name="Hash">The hash; null if there was none.</param>
/// <param name="Revision">The revision that it was at; 0 if it did not say.</param>
/// <param name="Reason">Why there was no hash.</param>
internal sealed record PeerHash(MemberRecord Member, KeySpaceHash? Hash, long Revision, string Reason);
