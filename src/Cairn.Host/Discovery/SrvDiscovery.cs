using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Cairn.Host.Flags;
using Cairn.Server;

namespace Cairn.Host.Discovery;

/// <summary>A domain whose SRV records say where clients are served.</summary>
/// <param name="Name">The domain.</param>
/// <param name="Suffix">What follows the name of the service, after a dash; empty for nothing.</param>
/// <param name="TakesPlain">Whether endpoints without TLS are taken, too.</param>
internal sealed record ClientDomain(string Name, string Suffix, bool TakesPlain);

/// <summary>Finds a cluster by the SRV records of a domain.</summary>
/// <remarks>Source: etcd client/pkg/srv/srv.go. What etcd calls "0", "1", … because the records tell no names is called by its address here until it says its name.</remarks>
/// <param name="find">Looks up the places of a service.</param>
/// <param name="resolve">Looks up the addresses of a host.</param>
internal sealed class SrvDiscovery(Func<string, CancellationToken, Task<IReadOnlyList<SrvRecord>>> find, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
{
    private const string ConfigurationPath = "/etc/resolv.conf";

    /// <summary>One that asks the system's name servers.</summary>
    /// <param name="time">The clock of its patience.</param>
    /// <exception cref="IOException">The system's configuration cannot be read.</exception>
    public static SrvDiscovery OfSystem(TimeProvider time) =>
        new(DnsClient.Of(File.Exists(ConfigurationPath) ? File.ReadLines(ConfigurationPath) : [], time).FindAsync, static (host, cancelled) => Dns.GetHostAddressesAsync(host, cancelled));

    /// <summary>Finds the members of a cluster that is to be founded.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="suffix">What follows the name of the service, after a dash; empty for nothing.</param>
    /// <param name="name">Name of this member.</param>
    /// <param name="peerUrls">Its peer URLs, by whose addresses it is recognized.</param>
    /// <param name="cancelled">Ends the search.</param>
    /// <returns>All members, this one under its name.</returns>
    /// <exception cref="IOException">A name server does not answer, or an address is not known.</exception>
    /// <exception cref="FlagException">The records name nobody, or not this member.</exception>
    public async Task<ImmutableArray<InitialMember>> MembersAsync(string domain, string suffix, string name, IReadOnlyList<string> peerUrls, CancellationToken cancelled)
    {
        var own = new Dictionary<IPEndPoint, EtcdUrl>();
        foreach (EtcdUrl url in peerUrls.Select(Parse))
        {
            foreach (IPAddress address in await AddressesAsync(url.Host, cancelled))
            {
                own[new IPEndPoint(address, int.Parse(url.Port, System.Globalization.CultureInfo.InvariantCulture))] = url;
            }
        }

        var members = ImmutableArray.CreateBuilder<InitialMember>();
        foreach ((string scheme, string service) in new[] { ("https", "etcd-server-ssl"), ("http", "etcd-server") })
        {
            foreach (SrvRecord record in await find(NameOf(service, suffix, domain), cancelled))
            {
                members.Add(await MemberAsync(record, scheme, name, own, cancelled));
            }
        }

        if (members.Count == 0)
        {
            throw new FlagException($"--discovery-srv: there are no SRV records {NameOf("etcd-server-ssl", suffix, domain)} and {NameOf("etcd-server", suffix, domain)}");
        }

        return members.Any(member => member.Name == name)
            ? [.. members.GroupBy(static member => member.Name).Select(static urls => new InitialMember(urls.Key, [.. urls.SelectMany(static each => each.PeerUrls)]))]
            : throw new FlagException(
                $"cannot find local etcd member \"{name}\" in SRV records: none of {string.Join(", ", members.SelectMany(static member => member.PeerUrls))} has an address of {string.Join(", ", peerUrls)}");
    }

    /// <summary>Finds where clients are served.</summary>
    /// <param name="where">Where to look.</param>
    /// <param name="cancelled">Ends the search.</param>
    /// <returns>URLs.</returns>
    /// <exception cref="IOException">A name server does not answer.</exception>
    /// <exception cref="FlagException">The records name nobody.</exception>
    public async Task<IReadOnlyList<string>> EndpointsAsync(ClientDomain where, CancellationToken cancelled)
    {
        var (domain, suffix, takesPlain) = where;
        IReadOnlyList<SrvRecord> secure = await find(NameOf("etcd-client-ssl", suffix, domain), cancelled);
        IReadOnlyList<SrvRecord> plain = await find(NameOf("etcd-client", suffix, domain), cancelled);
        string[] endpoints = [.. secure.Select(static record => UrlOf("https", record)), .. takesPlain ? plain.Select(static record => UrlOf("http", record)) : []];
        return endpoints.Length > 0
            ? endpoints
            : throw new FlagException(plain.Count > 0
                ? $"--discovery-srv: {NameOf("etcd-client", suffix, domain)} names only endpoints without TLS; --insecure-discovery takes them"
                : $"--discovery-srv: there are no SRV records {NameOf("etcd-client-ssl", suffix, domain)} and {NameOf("etcd-client", suffix, domain)}");
    }

    private static string NameOf(string service, string suffix, string domain) => $"_{service}{(suffix.Length > 0 ? $"-{suffix}" : "")}._tcp.{domain}";

    private static string UrlOf(string scheme, SrvRecord record) => $"{scheme}://{(record.Target.Contains(':', StringComparison.Ordinal) ? $"[{record.Target}]" : record.Target)}:{record.Port}";

    private static EtcdUrl Parse(string url)
    {
        Invariant.Holds(EtcdUrl.TryParseList(url, out IReadOnlyList<EtcdUrl> urls, out _) && urls.Count == 1); // The flag was checked.
        return urls[0];
    }

    private async Task<InitialMember> MemberAsync(SrvRecord record, string scheme, string name, Dictionary<IPEndPoint, EtcdUrl> own, CancellationToken cancelled)
    {
        string url = UrlOf(scheme, record);
        foreach (IPAddress address in await AddressesAsync(record.Target, cancelled))
        {
            if (own.TryGetValue(new IPEndPoint(address, record.Port), out EtcdUrl? self))
            {
                return self.IsSecure == (scheme == "https")
                    ? new InitialMember(name, [url])
                    : throw new FlagException($"bootstrap at {url} from DNS has scheme mismatch with expected peer {self}");
            }
        }

        return new InitialMember(url[(scheme.Length + 3)..], [url]);
    }

    private async Task<IPAddress[]> AddressesAsync(string host, CancellationToken cancelled)
    {
        try
        {
            return await resolve(host, cancelled);
        }
        catch (SocketException e)
        {
            throw new IOException($"lookup {host}: {e.Message}", e);
        }
    }
}
