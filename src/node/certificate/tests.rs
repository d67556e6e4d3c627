//! Real handshakes against settings whose files change under them.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

/// A certificate on disk, and what it says in DER.
pub(super) struct Made {
    pub(super) files: TlsFiles,
    pub(super) der: Vec<u8>,
}

/// A self-signed certificate for `names`, as `NAME.pem` and `NAME.key`.
pub(super) fn made(folder: &Path, name: &str, names: &[&str]) -> Made {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let files = TlsFiles {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&files.certificate, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    Made {
        files,
        der: made.cert.der().to_vec(),
    }
}

fn sources(main: &TlsFiles) -> Sources {
    Sources {
        main: main.clone(),
        folder: None,
        clients: ClientCertificates::Off,
    }
}

/// Puts `from` in the place of `to`, each file at once, as certificate robots do.
fn put(from: &TlsFiles, to: &TlsFiles) {
    for (from, to) in [(&from.certificate, &to.certificate), (&from.key, &to.key)] {
        let beside = to.with_extension("beside");
        fs::copy(from, &beside).unwrap();
        fs::rename(beside, to).unwrap();
    }
}

/// Answers every handshake with the settings of its moment, and one octet.
async fn serve(listener: TcpListener, tls: TlsSettings) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(tls.borrow().clone());
        tokio::spawn(async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"!").await;
                let _ = stream.shutdown().await;
            }
        });
    }
}

/// A handshake with `client`'s settings; the server's certificate, or why there is none.
async fn shown(address: std::net::SocketAddr, client: ClientConfig) -> io::Result<Vec<u8>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("meet.example.org").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await?;
    // With TLS 1.3 the server judges the client's certificate after the client is done.
    let mut octet = [0];
    stream.read_exact(&mut octet).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap();
    Ok(shown[0].to_vec())
}

/// Believes exactly these certificates.
fn believing(certificates: &[&[u8]]) -> ClientConfig {
    with_identity(certificates, None)
}

fn with_identity(
    certificates: &[&[u8]],
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for der in certificates {
        roots.add(CertificateDer::from(der.to_vec())).unwrap();
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
    }
}

async fn listening(certificates: &Certificates) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, certificates.sip()));
    address
}

#[test]
fn files_that_cannot_be_used_keep_the_old_ones_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let a = made(folder.path(), "a", &["meet.example.org"]);
    let b = made(folder.path(), "b", &["meet.example.org"]);
    let live = made(folder.path(), "live", &["meet.example.org"]).files;
    put(&a.files, &live);
    let mut certificates = Certificates::of(sources(&live)).unwrap();
    let first = certificates.sip().borrow().clone();
    assert!(matches!(certificates.look(), Look::Same));

    // Half a swap: the key is still the old one.
    fs::copy(&b.files.certificate, &live.certificate).unwrap();
    let look = certificates.look();
    assert!(
        matches!(&look, Look::Kept(error) if error.to_string().contains("does not belong")),
        "{look:?}"
    );
    assert!(Arc::ptr_eq(&first, &certificates.sip().borrow()));
    // Said once, not every second.
    assert!(matches!(certificates.look(), Look::Same));

    fs::copy(&b.files.key, &live.key).unwrap();
    assert!(matches!(certificates.look(), Look::Renewed));
    assert!(!Arc::ptr_eq(&first, &certificates.sip().borrow()));

    fs::remove_file(&live.key).unwrap();
    assert!(matches!(certificates.look(), Look::Kept(_)));
}

#[test]
fn a_folder_of_further_certificates_is_watched_too() {
    let folder = tempfile::tempdir().unwrap();
    let main = made(folder.path(), "main", &["meet.example.org"]);
    let more = folder.path().join("more");
    fs::create_dir(&more).unwrap();
    let mut certificates = Certificates::of(Sources {
        folder: Some(more.clone()),
        ..sources(&main.files)
    })
    .unwrap();
    let rooms = made(&more, "rooms", &["rooms.example.org"]);
    assert!(matches!(certificates.look(), Look::Renewed));
    fs::remove_file(rooms.files.key).unwrap();
    let look = certificates.look();
    assert!(
        matches!(&look, Look::Kept(error) if error.to_string().contains("rooms.key")),
        "{look:?}"
    );
    fs::remove_file(rooms.files.certificate).unwrap();
    assert!(matches!(certificates.look(), Look::Renewed));
}

#[test]
fn every_suite_is_forward_secret() {
    let folder = tempfile::tempdir().unwrap();
    let main = made(folder.path(), "main", &["meet.example.org"]);
    let (https, sip) = sources(&main.files).read().unwrap();
    for config in [https, sip] {
        for suite in &config.crypto_provider().cipher_suites {
            let name = format!("{:?}", suite.suite());
            assert!(
                name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn clients_are_asked_for_certificates_where_configured() {
    let folder = tempfile::tempdir().unwrap();
    let server = made(folder.path(), "server", &["meet.example.org"]);
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let authorities = folder.path().join("authorities.pem");
    fs::write(&authorities, authority.pem()).unwrap();
    let client_key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(params, authority_key);
    let known = CertificateParams::new(vec!["pbx.example.org".to_owned()])
        .unwrap()
        .signed_by(&client_key, &issuer)
        .unwrap();
    let known = || {
        let key = PrivateKeyDer::try_from(client_key.serialize_der()).unwrap();
        Some((vec![known.der().clone()], key))
    };
    let stranger = made(folder.path(), "stranger", &["pbx.example.org"]).files;
    let stranger = || {
        let chain = vec![CertificateDer::from_pem_file(&stranger.certificate).unwrap()];
        Some((chain, PrivateKeyDer::from_pem_file(&stranger.key).unwrap()))
    };
    type Ask = fn(PathBuf) -> ClientCertificates;
    for (ask, without, of_known, of_stranger) in [
        ((|_| ClientCertificates::Off) as Ask, true, true, true),
        (ClientCertificates::Request, true, true, false),
        (ClientCertificates::Require, false, true, false),
    ] {
        let clients = ask(authorities.clone());
        let certificates = Certificates::of(Sources {
            clients: clients.clone(),
            ..sources(&server.files)
        })
        .unwrap();
        let address = listening(&certificates).await;
        for (own, let_in) in [
            (None, without),
            (known(), of_known),
            (stranger(), of_stranger),
        ] {
            let result = shown(address, with_identity(&[&server.der], own)).await;
            assert_eq!(result.is_ok(), let_in, "{clients:?} {result:?}");
        }
    }
}

/// Swaps under load: no handshake fails, and both certificates are seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_swaps_fail_no_handshake() {
    let count = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let a = made(folder.path(), "a", &["meet.example.org"]);
    let b = made(folder.path(), "b", &["meet.example.org"]);
    let live = made(folder.path(), "live", &["meet.example.org"]).files;
    put(&a.files, &live);
    let mut certificates = Certificates::of(sources(&live)).unwrap();
    let address = listening(&certificates).await;
    let stop = CancellationToken::new();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, client) = (stop.clone(), believing(&[&a.der, &b.der]));
            let a = a.der.clone();
            tokio::spawn(async move {
                let mut seen = [0_usize; 2];
                while !stop.is_cancelled() {
                    let der = shown(address, client.clone()).await.unwrap();
                    seen[usize::from(der != a)] += 1;
                }
                seen
            })
        })
        .collect();
    let (mut renewed, mut kept) = (0_usize, 0_usize);
    for swap in 0..count {
        // A robot writes the files while the watch looks: between the two it may see half a swap.
        let next = if swap % 2 == 0 { &b } else { &a };
        let half = swap % 10 == 9;
        fs::copy(&next.files.certificate, &live.certificate).unwrap();
        if half {
            kept += usize::from(matches!(certificates.look(), Look::Kept(_)));
        }
        fs::copy(&next.files.key, &live.key).unwrap();
        renewed += usize::from(matches!(certificates.look(), Look::Renewed));
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let mut seen = [0; 2];
    for client in clients {
        let one = client.await.unwrap();
        seen = [seen[0] + one[0], seen[1] + one[1]];
    }
    eprintln!("{count} swaps: {renewed} renewed, {kept} halves kept the old, handshakes {seen:?}");
    assert_eq!((renewed, kept), (count, count / 10));
    assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
}
