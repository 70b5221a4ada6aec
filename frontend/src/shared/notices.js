// Short messages that need no dialog: an answer with HX-Trigger: {"taskops:notice": {"text", "url", "label"}}.

const SECONDS = 12;

const make = ({ text, url, label }) => {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.append(text);
  if (url) {
    const link = document.createElement("a");
    link.href = url;
    link.textContent = label;
    notice.append(" ", link);
  }
  return notice;
};

export const notices = () => {
  document.body.addEventListener("taskops:notice", (event) => {
    const notice = make(event.detail);
    document.getElementById("notices").append(notice);
    setTimeout(() => notice.remove(), SECONDS * 1000);
  });
};
