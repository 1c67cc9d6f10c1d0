"""A download goes on where it stopped, ends only in the published file, and says what to do without a connection."""

from __future__ import annotations

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from labsupport.errors import LabsError
from labsupport.training.data.download import Published, exclusive, fetch

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()
REFUSED = "https://127.0.0.1:9/files/data.tar.gz"  # port 9 (discard): nothing listens


class Server:
    """Serve CONTENT, remember the ranges asked for, and cut the connection after `cut` bytes if told to."""

    def __init__(self, *, ranges: bool = True, cut: int | None = None) -> None:
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers.get("Range") if ranges else None
                outer.asked.append(self.headers.get("Range"))
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                if start >= len(CONTENT):
                    self.send_error(416)
                    return
                body = CONTENT[start:]
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if cut is None else body[:cut])

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/files/data.tar.gz"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def test_a_file_that_is_there_is_verified_and_nothing_is_asked_for(tmp_path):
    (tmp_path / "data.tar.gz").write_bytes(CONTENT)
    assert fetch(Published(REFUSED, MD5), tmp_path) == tmp_path / "data.tar.gz"


def test_a_damaged_file_that_is_there_is_refused_by_name(tmp_path):
    (tmp_path / "data.tar.gz").write_bytes(CONTENT[:-1])
    with pytest.raises(LabsError, match=rf"data.tar.gz has md5 .*published is {MD5}: it is damaged, delete it"):
        fetch(Published(REFUSED, MD5), tmp_path)


def test_a_missing_file_is_downloaded_whole(tmp_path):
    with Server() as server:
        path = fetch(Published(server.url, MD5), tmp_path)
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.tar.gz"]


def test_an_interrupted_download_says_so_and_goes_on_at_the_byte_where_it_stopped(tmp_path):
    with Server(cut=1000) as server, pytest.raises(LabsError, match=f"ended after 1000 of {len(CONTENT)} bytes"):
        fetch(Published(server.url, MD5), tmp_path)
    assert not (tmp_path / "data.tar.gz").exists()
    with Server() as server:
        assert fetch(Published(server.url, MD5), tmp_path).read_bytes() == CONTENT
        assert server.asked == ["bytes=1000-"]


def test_a_server_that_knows_no_ranges_starts_anew(tmp_path):
    (tmp_path / "data.tar.gz.part").write_bytes(b"old")
    with Server(ranges=False) as server:
        assert fetch(Published(server.url, MD5), tmp_path).read_bytes() == CONTENT


def test_a_complete_part_is_recognised_without_a_transfer(tmp_path):
    (tmp_path / "data.tar.gz.part").write_bytes(CONTENT)
    with Server() as server:
        assert fetch(Published(server.url, MD5), tmp_path).read_bytes() == CONTENT


def test_a_file_with_another_digest_is_deleted_and_never_takes_the_place(tmp_path):
    with Server() as server, pytest.raises(LabsError, match=f"sent a file with md5 {MD5}, published is {'0' * 32}"):
        fetch(Published(server.url, "0" * 32), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_connection_the_error_says_what_was_tried_and_where_to_put_the_file(tmp_path):
    with pytest.raises(LabsError) as raised:
        fetch(Published(REFUSED, MD5), tmp_path)
    sentence = str(raised.value)
    assert REFUSED in sentence
    assert "Connection refused" in sentence
    assert f"put it into {tmp_path}" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("url", ["http://example.org/data.tar.gz", "file:///etc/hostname", "ftp://example.org/data"])
def test_only_https_is_used(tmp_path, url):
    with pytest.raises(LabsError, match="only https is used"):
        fetch(Published(url, MD5), tmp_path)


def test_one_process_at_a_time_is_in_the_block(tmp_path):
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        with exclusive(tmp_path, "data"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
