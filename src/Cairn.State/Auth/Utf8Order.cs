using System.Text;

namespace Cairn.State.Auth;

/// <summary>Orders names by the bytes of their UTF-8 form, as etcd's tables do. (Ordinal order of strings is that of UTF-16.)</summary>
internal sealed class Utf8Order : IComparer<string>
{
    public static Utf8Order Instance { get; } = new();

    public int Compare(string? x, string? y) => Encoding.UTF8.GetBytes(x ?? "").AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y ?? ""));
}
