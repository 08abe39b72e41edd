// What scrolls sideways can be reached by the keyboard; buttons that copy are no navigation.
const article = document.querySelector("article");
const mend = () => {
  for (const part of article.querySelectorAll("pre > code, .md-typeset__scrollwrap, .output")) part.tabIndex = 0;
  for (const part of article.querySelectorAll("nav.md-code__nav")) part.setAttribute("role", "none");
};
new MutationObserver(mend).observe(article, { childList: true, subtree: true });
mend();
