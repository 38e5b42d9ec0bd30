namespace Cairn.Server;

/// <summary>The member of this data directory is not part of its cluster any more.</summary>
/// <param name="message">For people.</param>
/// <param name="mayReturn">Whether the directory is to be opened again: it then asks the cluster for a new place.</param>
public sealed class MemberRemovedException(string message, bool mayReturn) : Exception(message)
{
    /// <summary>Whether the directory is to be opened again: it then asks the cluster for a new place.</summary>
    public bool MayReturn => mayReturn;
}
