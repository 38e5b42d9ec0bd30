using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Cairn.Host.Security;

/// <summary>Reads the names in certificates, and whether they stand for the address that a peer connects from.</summary>
/// <remarks>Source: etcd client/pkg/transport/listener_tls.go (checkCertSAN). A certificate without names of hosts is not judged by them.</remarks>
internal static class CertificateNames
{
    private const string CommonNameOid = "2.5.4.3";

    /// <summary>The common name of a certificate, and nothing that stands for one: the platform's own answer goes on to other names where there is none.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <returns>The name; empty if there is none.</returns>
    public static string CommonNameOf(X509Certificate2 certificate) => certificate.SubjectName.EnumerateRelativeDistinguishedNames()
        .Where(static part => !part.HasMultipleElements && part.GetSingleElementType().Value == CommonNameOid)
        .Select(static part => part.GetSingleElementValue() ?? "")
        .FirstOrDefault("");

    /// <summary>Judges.</summary>
    /// <param name="shown">The certificate.</param>
    /// <param name="address">The address.</param>
    /// <returns>True if an address in it is this one, or a name in it leads here.</returns>
    public static async ValueTask<bool> AllowAsync(X509Certificate2 shown, IPAddress address)
    {
        IPAddress plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        X509SubjectAlternativeNameExtension? names = shown.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        if (names is null || !(names.EnumerateIPAddresses().Any() || names.EnumerateDnsNames().Any()) || names.EnumerateIPAddresses().Contains(plain))
        {
            return true;
        }

        foreach (string name in names.EnumerateDnsNames())
        {
            if (name.StartsWith("*.", StringComparison.Ordinal) ? await IsNamedAsync(plain, name) : await LeadsToAsync(name, plain))
            {
                return true;
            }
        }

        return false;
    }

    private static async ValueTask<bool> LeadsToAsync(string name, IPAddress address)
    {
        try
        {
            return (await Dns.GetHostAddressesAsync(name)).Contains(address);
        }
        catch (SocketException)
        {
            // A name that leads nowhere.
            return false;
        }
    }

    /// <summary>A wildcard leads nowhere by itself; so the address is asked for its name.</summary>
    private static async ValueTask<bool> IsNamedAsync(IPAddress address, string wildcard)
    {
        try
        {
            string host = (await Dns.GetHostEntryAsync(address)).HostName;
            int dot = host.IndexOf('.', StringComparison.Ordinal);
            return dot > 0 && host.AsSpan(dot).Equals(wildcard.AsSpan(1), StringComparison.OrdinalIgnoreCase);
        }
        catch (SocketException)
        {
            // An address without a name.
            return false;
        }
    }
}
