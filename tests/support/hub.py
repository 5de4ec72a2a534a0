"""A stand-in for the Hugging Face Hub: a local server that answers as the real one does."""

import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import huggingface_hub
from huggingface_hub import constants

# What the hub keeps outside of git.
LARGE = {".bin", ".safetensors", ".pt", ".h5", ".msgpack"}
TOKEN = "hf_valid"  # noqa: S105 - of a person who has not asked for access to gated models
_PIECE = 2**16


@dataclass
class Model:
    """A model on the hub: the files of each commit, and the commit of each revision."""

    commits: dict = field(default_factory=dict)
    revisions: dict = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    disabled: bool = False


class Hub:
    """Models to serve, faults to show, and a list of the requests that came."""

    def __init__(self, url):
        self.url = url
        self.models = {}
        self.requests = []  # method, path without the address, and "Range" if there was one
        self.asides = 0  # requests that the client makes of its own accord, once a day
        self.status = None  # answers every request
        self.sizes = True  # whether listings have them, if asked for
        self.silent = False  # whether requests wait for `release`
        self.answer = None  # too, as a page that is none of the hub's
        self.cuts = []  # bytes after which the next transfers of large files are cut
        self.ranges = True
        self.served = {}  # content of a large file in place of the true one, by file name
        self.release = threading.Event()  # lets slow transfers go on to their end
        self.stop_after = None  # bytes after which a transfer waits for that
        self.secrets = []  # credentials that came to the storage of large files

    def add(self, hub_id, files, revision="main", **traits):
        """Add a commit to a model and let a revision stand for it; return the commit."""
        model = self.models.setdefault(hub_id, Model(**traits))
        number = f"{hub_id} {revision} {len(model.commits)}"
        commit = hashlib.sha1(number.encode()).hexdigest()  # noqa: S324 - as git names it
        model.commits[commit] = dict(files)
        model.revisions[revision] = commit
        return commit

    def count(self, method, part=""):
        """Return how many requests of a method have a part in their path."""
        return sum(each[0] == method and part in each[1] for each in self.requests)

    def environment(self, home):
        """Return the variables with which another process takes this for the hub."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_TOKEN": "",
        }


def is_large(name):
    """Whether the hub keeps a file outside of git."""
    return PurePosixPath(name).suffix in LARGE


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def _tree(files):
    """Return the list of a commit's files in the form of the other way to ask for it."""
    entries = []
    for path, content in sorted(files.items()):
        entry = {"type": "file", "path": path, "oid": _git_id(content), "size": len(content)}
        if is_large(path):
            entry["lfs"] = {"oid": sha256(content), "size": len(content), "pointerSize": 134}
        entries.append(entry)
    return entries


def _git_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *words):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if path == "/api/agent-harnesses":
            self.hub.asides += 1
            self.refuse(404)
            return
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        if self.hub.silent:
            self.hub.release.wait()
        if self.hub.status is not None:
            self.refuse(self.hub.status)
        elif self.hub.answer is not None:
            self.send(self.hub.answer)
        elif path.startswith("/storage/"):
            self.send_large(path.removeprefix("/storage/"))
        else:
            self.route(path)

    def route(self, path):
        parts = path.strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        hub_id = "/".join(parts[2:4] if api else parts[:2])
        rest = parts[4:] if api else parts[2:]
        model = self.hub.models.get(hub_id)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in ("", TOKEN):
            self.refuse(401, said="Invalid credentials in Authorization header")
        elif model is None or (model.private and not token):
            if token:
                self.refuse(404, "RepoNotFound", "Repository not found")
            else:
                self.refuse(401, said="Invalid username or password.")
        elif model.disabled:
            self.refuse(403, said="Access to this resource is disabled.")
        elif api:
            self.list(hub_id, model, rest)
        elif model.gated:
            self.refuse(403 if token else 401, "GatedRepo", "Access to this model is restricted")
        else:
            self.resolve(model, rest)

    def commit(self, model, revision):
        commit = model.revisions.get(revision, revision)
        if commit not in model.commits:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return commit

    def list(self, hub_id, model, rest):
        """Describe a model; sizes and hashes are there only if asked for."""
        commit = self.commit(model, "/".join(rest[1:]) or "main")
        if commit is None:
            return
        if rest[:1] == ["tree"]:
            self.send(json.dumps(_tree(model.commits[commit])).encode())
            return
        blobs = self.hub.sizes and "blobs=" in urlsplit(self.path).query
        siblings = []
        for name, content in sorted(model.commits[commit].items()):
            entry = {"rfilename": name}
            if blobs:
                entry |= {"size": len(content), "blobId": _git_id(content)}
                if is_large(name):
                    large = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
                    entry["lfs"] = large
            siblings.append(entry)
        answer = {"id": hub_id, "sha": commit, "siblings": siblings, "private": model.private}
        self.send(json.dumps(answer | {"gated": "auto" if model.gated else False}).encode())

    def resolve(self, model, rest):
        """Send a small file, or the address of a large one."""
        commit = self.commit(model, rest[1])
        if commit is None:
            return
        name = "/".join(rest[2:])
        content = model.commits[commit].get(name)
        headers = {"X-Repo-Commit": commit}
        if content is None:
            self.refuse(404, "EntryNotFound", "Entry not found", headers)
        elif is_large(name):
            place = self.hub.url.replace("127.0.0.1", "localhost")
            headers |= {
                "X-Linked-Size": str(len(content)),
                "X-Linked-Etag": f'"{sha256(content)}"',
                "Location": f"{place}/storage/{sha256(content)}",
            }
            self.send(b"", 302, headers)
        else:
            self.send(content, headers=headers | {"ETag": f'"{_git_id(content)}"'})

    def send_large(self, wanted):
        """Send a large file, or the rest of it, with the faults that were asked for."""
        hub = self.hub
        if secret := self.headers.get("Authorization"):
            hub.secrets.append(secret)
        stored = {
            sha256(content): hub.served.get(name, content)
            for model in hub.models.values()
            for files in model.commits.values()
            for name, content in files.items()
        }
        content, status, headers = stored[wanted], 200, {"ETag": f'"{wanted}"'}
        if hub.ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            content, status = content[start:], 206
        self.send_head(len(content), status, headers)
        end = hub.cuts.pop(0) if hub.cuts else len(content)
        for start in range(0, min(end, len(content)), _PIECE):
            if hub.stop_after is not None and start >= hub.stop_after:
                hub.release.wait()
            self.wfile.write(content[start : min(start + _PIECE, end)])
            self.wfile.flush()
        self.close_connection = end < len(content)

    def send_head(self, size, status, headers):
        self.send_response(status)
        if not self.headers.get("Authorization"):
            headers = headers | {"X-HF-Warning": "unauthenticated; You are not logged in."}
        for key, value in {"Content-Length": str(size), **headers}.items():
            self.send_header(key, value)
        self.end_headers()

    def send(self, content, status=200, headers=None):
        self.send_head(len(content), status, headers or {})
        if self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, status, code=None, said=None, headers=None):
        explained = {"X-Error-Code": code, "X-Error-Message": said}
        shown = {key: value for key, value in explained.items() if value is not None}
        self.send(json.dumps({"error": said}).encode(), status, (headers or {}) | shown)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *where):
        """Keep quiet about clients that leave half way."""


@contextmanager
def running_hub():
    """Run a hub without models."""

    class Answers(_Answers):
        pass

    with _Server(("127.0.0.1", 0), Answers) as server:
        Answers.hub = hub = Hub(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.release.set()
            server.shutdown()
            thread.join()


@contextmanager
def hub_of_this_process(monkeypatch, cache):
    """Run a hub that the client in this process takes for the real one, with its own cache."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running_hub() as hub:
        # The client reads these from its environment when it is imported.
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(cache / "harnesses.json"))
        huggingface_hub.close_session()
        try:
            yield hub
        finally:
            huggingface_hub.close_session()
