// While the demonstration prepares itself: the page's content anew each second, until it is there.
const again = async () => {
  const text = await (await fetch(location)).text().catch(() => "");
  const next = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  if (next) document.querySelector("main").replaceWith(next);
  if (document.querySelector("progress")) setTimeout(again, 1000);
};
setTimeout(again, 1000);
