using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Cairn.Host.Flags;

/// <summary>A URL of a member: scheme, host and port, or the path of a socket.</summary>
/// <param name="Scheme">http, https, unix or unixs.</param>
/// <param name="Host">Host without brackets; of a socket, what stands before the colon.</param>
/// <param name="Port">Port; of a socket, what stands after the colon.</param>
/// <remarks>Source: etcd client/pkg/types/urls.go.</remarks>
internal sealed record EtcdUrl(string Scheme, string Host, string Port)
{
    /// <summary>Whether TLS is asked for.</summary>
    public bool IsSecure => Scheme is "https" or "unixs";

    /// <summary>Whether it names a socket of the file system.</summary>
    public bool IsUnix => Scheme is "unix" or "unixs";

    /// <summary>Host and port as written in a URL.</summary>
    public string Authority => Port.Length == 0 ? Host : Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>Whether a listener can be bound to it: an address, or localhost.</summary>
    public bool IsBindable => IsUnix || Host == "localhost" || Host.Length == 0 || IPAddress.TryParse(Host, out _);

    /// <summary>Whether only this machine can reach it.</summary>
    public bool IsLoopback => IsUnix || Host == "localhost" || (IPAddress.TryParse(Host, out IPAddress? address) && IPAddress.IsLoopback(address));

    /// <summary>Reads URLs separated by commas, without repetitions.</summary>
    /// <param name="text">The text; empty is no URL.</param>
    /// <param name="urls">The URLs, in the order given.</param>
    /// <param name="fault">What is wrong, in etcd's words.</param>
    public static bool TryParseList(string text, out IReadOnlyList<EtcdUrl> urls, [NotNullWhen(false)] out string? fault)
    {
        var found = new List<EtcdUrl>();
        urls = found;
        fault = null;
        if (text.Length == 0)
        {
            return true;
        }

        foreach (string part in text.Split(','))
        {
            if (!TryParse(part.Trim(), out EtcdUrl? url, out fault))
            {
                return false;
            }

            if (!found.Contains(url))
            {
                found.Add(url);
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Scheme}://{Authority}";

    private static bool TryParse(string text, [NotNullWhen(true)] out EtcdUrl? url, [NotNullWhen(false)] out string? fault)
    {
        url = null;
        int colon = text.IndexOf("://", StringComparison.Ordinal);
        string scheme = colon < 0 ? "" : text[..colon];
        if (scheme is not ("http" or "https" or "unix" or "unixs"))
        {
            fault = $"URL scheme must be http, https, unix, or unixs: {text}";
            return false;
        }

        string rest = text[(colon + 3)..];
        if (scheme is "unix" or "unixs")
        {
            int last = rest.LastIndexOf(':');
            url = last < 0 ? new EtcdUrl(scheme, rest, "") : new EtcdUrl(scheme, rest[..last], rest[(last + 1)..]);
            fault = null;
            return true;
        }

        return TryParseHost(scheme, rest, text, out url, out fault);
    }

    private static bool TryParseHost(string scheme, string rest, string text, [NotNullWhen(true)] out EtcdUrl? url, [NotNullWhen(false)] out string? fault)
    {
        url = null;
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string authority = slash < 0 ? rest : rest[..slash];
        int portColon = authority.LastIndexOf(':');
        string port = portColon < 0 ? "" : authority[(portColon + 1)..];
        string host = portColon < 0 ? authority : authority[..portColon];
        bool bracketed = host.StartsWith('[') && host.EndsWith(']');
        host = bracketed ? host[1..^1] : host;
        bool validPort = ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out _);
        if (portColon < 0 || !validPort || (!bracketed && host.Contains(':', StringComparison.Ordinal)))
        {
            fault = $"URL address does not have the form \"host:port\": {text}";
            return false;
        }

        // A slash alone is forgiven: other tools add one, and it says nothing.
        if (slash >= 0 && rest.Length > slash + 1)
        {
            fault = $"URL must not contain a path: {text}";
            return false;
        }

        url = new EtcdUrl(scheme, host, port);
        fault = null;
        return true;
    }
}
