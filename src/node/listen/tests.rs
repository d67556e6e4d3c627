//! Slow and silent peers.

use std::net::Ipv4Addr;

use tokio::io::DuplexStream;

use super::*;

const OPTIONS: &[u8] = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\n\
    Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// A connection, its peer's end, and the desk that it speaks to.
fn connected(patience: Patience) -> (DuplexStream, mpsc::Receiver<ToDesk>) {
    let (desk, inbox) = mpsc::channel(64);
    let mut listeners = Listeners::new(desk, CancellationToken::new(), Door::new(9, 9));
    listeners.patience = patience;
    let (ours, theirs) = tokio::io::duplex(4096);
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
    let flow = listeners.flow(Transport::Tcp, here, here);
    tokio::spawn(async move { listeners.connection(flow, ours).await });
    (theirs, inbox)
}

/// The messages that the desk is told before it is told that the connection is closed.
async fn until_closed(inbox: &mut mpsc::Receiver<ToDesk>) -> usize {
    let mut messages = 0;
    loop {
        match inbox.recv().await.unwrap() {
            ToDesk::FlowClosed { .. } => return messages,
            ToDesk::Sip { message, .. } => {
                assert!(message.is_ok());
                messages += 1;
            }
            _ => {}
        }
    }
}

const SHORT: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn who_says_nothing_is_closed() {
    let (_peer, mut inbox) = connected(Patience {
        first: SHORT,
        message: NEVER,
        rest: NEVER,
    });
    assert_eq!(until_closed(&mut inbox).await, 0);
}

#[tokio::test]
async fn a_message_in_many_small_pieces_has_no_more_time_than_in_one() {
    let (mut peer, mut inbox) = connected(Patience {
        first: NEVER,
        message: SHORT,
        rest: NEVER,
    });
    // A piece comes well within the time that a message has, the whole of it never.
    let pieces = tokio::spawn(async move {
        loop {
            let written = peer.write_all(&OPTIONS[..1]).await;
            if written.is_err() {
                return;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    assert_eq!(until_closed(&mut inbox).await, 0);
    pieces.await.unwrap();
}

#[tokio::test]
async fn who_has_spoken_may_rest_for_its_time() {
    let (mut peer, mut inbox) = connected(Patience {
        first: NEVER,
        message: NEVER,
        rest: SHORT,
    });
    peer.write_all(OPTIONS).await.unwrap();
    peer.write_all(OPTIONS).await.unwrap();
    assert_eq!(until_closed(&mut inbox).await, 2);
}

#[tokio::test]
async fn the_time_of_a_message_ends_with_it() {
    let (mut peer, mut inbox) = connected(Patience {
        first: NEVER,
        message: SHORT,
        rest: NEVER,
    });
    let (head, tail) = OPTIONS.split_at(100);
    for part in [head, tail] {
        peer.write_all(part).await.unwrap();
    }
    tokio::time::sleep(SHORT * 2).await;
    peer.write_all(OPTIONS).await.unwrap();
    drop(peer);
    assert_eq!(until_closed(&mut inbox).await, 2);
}

#[tokio::test]
async fn a_peer_that_reads_nothing_does_not_hold_up_the_end_for_each_message_that_waits() {
    let (to_desk, mut desk) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let listeners = Listeners::new(to_desk, stop.clone(), Door::new(1, 1));
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
    let flow = listeners.flow(Transport::Tcp, here, here);
    // Whoever holds the other end reads nothing, and the pipe takes less than one message.
    let (ours, _theirs) = tokio::io::duplex(64);
    let connection = tokio::spawn(async move { listeners.connection(flow, ours).await });
    let Some(ToDesk::FlowOpened { outgoing, .. }) = desk.recv().await else {
        panic!("no connection");
    };
    while outgoing.try_send(vec![b'x'; 1000]).is_ok() {}
    stop.cancel();
    // A second for each of the 256 that wait would be more than any test may take.
    connection.await.unwrap();
    assert!(outgoing.is_closed(), "the writer is gone");
}

#[tokio::test]
async fn answers_to_what_came_before_octets_that_are_no_sip_are_written_however_late_the_desk_is() {
    let (mut peer, mut desk) = connected(Patience::default());
    peer.write_all(OPTIONS).await.unwrap();
    peer.write_all(b"\x01\x02 no SIP, and more of it")
        .await
        .unwrap();
    let Some(ToDesk::FlowOpened { outgoing, .. }) = desk.recv().await else {
        panic!("no connection");
    };
    assert!(matches!(
        desk.recv().await,
        Some(ToDesk::Sip { message: Ok(_), .. })
    ));
    tokio::time::sleep(SHORT * 2).await;
    outgoing.try_send(b"an answer".to_vec()).unwrap();
    assert!(matches!(desk.recv().await, Some(ToDesk::FlowClosed { .. })));
    drop(outgoing);
    let mut answers = Vec::new();
    peer.read_to_end(&mut answers).await.unwrap();
    assert_eq!(answers, b"an answer");
}
