using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Security;

/// <summary>TLS on one connection: after the handshake the connection's pipes carry plain bytes. Owned by the connection.</summary>
internal sealed class TlsSession : IDuplexPipe, ITlsConnectionFeature, ITlsApplicationProtocolFeature, IAsyncDisposable
{
    private readonly SslStream _stream;

    private TlsSession(SslStream stream)
    {
        _stream = stream;
        Input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        Output = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        ClientCertificate = stream.RemoteCertificate as X509Certificate2;
    }

    /// <inheritdoc/>
    public PipeReader Input { get; }

    /// <inheritdoc/>
    public PipeWriter Output { get; }

    /// <inheritdoc/>
    public X509Certificate2? ClientCertificate { get; set; }

    /// <summary>The protocol that is spoken inside: what the first bytes show, which is what was negotiated unless nothing was.</summary>
    public ReadOnlyMemory<byte> ApplicationProtocol { get; private set; }

    /// <summary>Tells the web server which protocol the first bytes showed; it takes no HTTP/2 that was not named.</summary>
    public void Name(SslApplicationProtocol protocol) => ApplicationProtocol = protocol.Protocol;

    /// <summary>Shakes hands and puts the session between the connection and whoever reads it.</summary>
    /// <exception cref="AuthenticationException">The client does not accept us, or we do not accept it.</exception>
    public static async Task<TlsSession> OpenAsync(ConnectionContext connection, TlsCredentials certificates, CancellationToken cancelled)
    {
        var stream = new SslStream(new DuplexStream(connection.Transport), leaveInnerStreamOpen: true);
        try
        {
            await stream.AuthenticateAsServerAsync(certificates.Server(), cancelled);
            if (!await certificates.AllowsAddressAsync(stream.RemoteCertificate as X509Certificate2, connection.RemoteEndPoint))
            {
                throw new AuthenticationException($"no name in the certificate stands for {connection.RemoteEndPoint}");
            }
        }
        catch
        {
            // Whatever ended the handshake, the stream is still ours to close.
            await stream.DisposeAsync();
            throw;
        }

        var session = new TlsSession(stream);
        connection.Transport = session;
        connection.Features.Set<ITlsConnectionFeature>(session);
        connection.Features.Set<ITlsApplicationProtocolFeature>(session);
        connection.Features.Set(session);
        return session;
    }

    /// <inheritdoc/>
    public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult(ClientCertificate);

    /// <summary>Says goodbye to the client; the connection below stays open.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await Input.CompleteAsync();
            await Output.CompleteAsync();
            await _stream.ShutdownAsync();
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or ObjectDisposedException)
        {
            // The client has gone before us.
        }
        finally
        {
            await _stream.DisposeAsync();
        }
    }
}
