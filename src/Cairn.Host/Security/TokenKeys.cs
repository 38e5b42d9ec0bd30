using System.Security.Cryptography;
using Cairn.Host.Flags;
using Cairn.Server.Auth.Jwt;

namespace Cairn.Host.Security;

/// <summary>The keys of signed tokens, in their files; read again when a file has changed.</summary>
/// <remarks>Owned by the process; <see cref="Refresh"/> is called by one timer.</remarks>
internal sealed class TokenKeys
{
    private readonly TokenOptions _options;
    private readonly ILogger _logger;
    private (DateTime Public, DateTime Private) _stamp;

    private TokenKeys(TokenOptions options, ILogger logger)
    {
        _options = options;
        _logger = logger;
        _stamp = Stamp();
        Ring = new JwtKeyring(Load(), options.Ttl);
    }

    /// <summary>The keys.</summary>
    public JwtKeyring Ring { get; }

    /// <summary>Loads the keys.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file holds no key, or not one of the method.</exception>
    public static TokenKeys Create(TokenOptions options, ILogger logger) => new(options, logger);

    /// <summary>Takes new keys if a file has changed; what does not fit together yet is looked at again the next time.</summary>
    public void Refresh()
    {
        (DateTime Public, DateTime Private) stamp = Stamp();
        if (stamp == _stamp)
        {
            return;
        }

        try
        {
            Ring.Replace(Load());
            _stamp = stamp;
            Log.TokenKeysReplaced(_logger, _options.Method);
        }
        catch (Exception e) when (e is IOException or CryptographicException or UnauthorizedAccessException)
        {
            Log.TokenKeysUnfit(_logger, e.Message);
        }
    }

    private JwtKey Load() => JwtKey.Read(_options.Method, Contents(_options.PublicKeyFile), Contents(_options.PrivateKeyFile));

    private static byte[]? Contents(string path) => path.Length == 0 ? null : File.ReadAllBytes(path);

    private (DateTime Public, DateTime Private) Stamp() => (StampOf(_options.PublicKeyFile), StampOf(_options.PrivateKeyFile));

    private static DateTime StampOf(string path) => path.Length == 0 ? default : File.GetLastWriteTimeUtc(path);
}
